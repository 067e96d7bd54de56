from collections.abc import Iterator, Mapping

def flows(
    lines_by_file: Mapping[str, Mapping[int, bool]],
) -> Iterator[tuple[str, int, int, list[int], int | None, bool]]: ...
