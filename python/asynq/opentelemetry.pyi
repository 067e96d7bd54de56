from opentelemetry.trace import TracerProvider

__all__ = ["instrument", "uninstrument"]

__traceback_hide__: bool

def instrument(tracer_provider: TracerProvider | None = None) -> None: ...
def uninstrument() -> None: ...
