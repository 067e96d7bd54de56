"""Links of the documentation site that lead out of docs/.

On the site, a link to a file of the repository becomes its text and the file's path, because the
site has no such file, and the repository no address yet.
"""

import posixpath
import re

LINK = re.compile(r"\[([^\]]*)\]\((\.\./[^)\s#]+)(?:#[^)\s]*)?\)")


def on_page_markdown(markdown, page, **_):
    folder = posixpath.dirname(page.file.src_uri)

    def outside_as_text(link):
        text, target = link.groups()
        path = posixpath.normpath(posixpath.join("docs", folder, target))
        if path.startswith("docs/"):
            return link.group()
        return f"{text} (`{path}`)" if path not in text else text

    return LINK.sub(outside_as_text, markdown)
