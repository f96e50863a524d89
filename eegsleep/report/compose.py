"""Fill a template: figures, scripts, and the content security policy that allows only these scripts."""

from __future__ import annotations

import base64
import hashlib
import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from eegsleep.errors import EegSleepError, describe_error
from eegsleep.provenance import hash_bytes, hash_file, write_file

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from jinja2 import Environment

    from eegsleep.report.looks import Figure


TEMPLATES = Path(__file__).with_name("templates")


def compose_page(
    template: str,
    *,
    plotly: str | None = None,
    script: str = "",
    own: Sequence[str] = (),
    early: Sequence[str] = (),
    sidecar: bool = False,
    **parts: Any,  # noqa: ANN401 - whatever the template shows
) -> bytes:
    """Fill one of our templates and return the page in UTF-8.

    Parameters
    ----------
    template : str
        Its file name. It is given `parts`, which it escapes, and what every page needs (`page.html`).
    plotly : str, optional
        Where plotly.js lies, relative to the page; by default the page carries it within itself.
    script : str
        File name of one more script in `templates` that the page runs.
    own : sequence of str
        File names of scripts in the place of plotly.js and `draw.js`: the page draws by itself.
    early : sequence of str
        File names of scripts that run before the page is shown.
    sidecar : bool
        Whether the template names scripts beside the page.
    **parts
        Values for the template.

    Returns
    -------
    bytes
    """
    plotly_js = "" if plotly or own else _plotly_js()
    names = own or [name for name in ("draw.js", script) if name]
    first, scripts = ([read_template(name) for name in group] for group in (early, names))
    filled = _environment().get_template(template)
    parts |= {
        "css": Markup(read_template("night.css")),  # noqa: S704 - our own file
        "plotly": plotly or "",
        "plotly_js": Markup(plotly_js),  # noqa: S704 - the wheel's own file, held by the hash in the policy
        "early": [Markup(text) for text in first],  # noqa: S704 - our own files
        "scripts": [Markup(text) for text in scripts],  # noqa: S704 - our own files
    }
    inline = [*first, *([plotly_js] if plotly_js else []), *scripts]
    if not (plotly or sidecar):
        return filled.render(**parts, nonce="", policy=_policy(inline)).encode("utf-8")
    # The nonce is a hash of the whole page. The author of a part of it, such as the header of a recording, cannot
    # know it beforehand, and equal pages still have equal bytes.
    nonce = hash_bytes(filled.render(**parts, nonce="", policy="").encode("utf-8"))[:32]
    return filled.render(**parts, nonce=nonce, policy=_policy(inline, nonce)).encode("utf-8")


def read_template(name: str) -> str:
    """Return the text of one of our templates, scripts or style sheets."""
    return (TEMPLATES / name).read_text(encoding="utf-8")


@cache  # a template is compiled once for all pages of a process
def _environment() -> Environment:
    import jinja2

    loader = jinja2.FileSystemLoader(TEMPLATES)
    return jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined)


def share_plotly(folder: str | Path) -> str:
    """Keep plotly.js once in a folder of nights, and return where the page of a night finds it.

    Parameters
    ----------
    folder : path
        The folder that holds the night folders; it is made if need be. A file that is not what we would
        write is replaced.

    Returns
    -------
    str
        The file relative to a folder in it: `../plotly-4.1.1.min.js`.

    Raises
    ------
    EegSleepError
        If it cannot be written.
    """
    from plotly.offline import get_plotlyjs_version

    content = _plotly_js().encode("utf-8")
    path = Path(folder) / f"plotly-{get_plotlyjs_version()}.min.js"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not _has_content(path, content):
            write_file(path, content)
    except OSError as error:
        # two computers of one cluster may have written it at the same moment, under the same process number
        if not _has_content(path, content):
            raise EegSleepError(f"{path} cannot be written", found=describe_error(error)) from error
    return f"../{path.name}"


def _has_content(path: Path, content: bytes) -> bool:
    return path.is_file() and hash_file(path) == hash_bytes(content)


def _plotly_js() -> str:
    from plotly.offline import get_plotlyjs

    return get_plotlyjs()


def encode_figure(spec: Mapping[str, Any]) -> str:
    """Return a figure as JSON that cannot end the script element it stands in.

    Parameters
    ----------
    spec : mapping
        Plotly's data and layout; numbers must be finite.

    Returns
    -------
    str
    """
    text = json.dumps(spec, ensure_ascii=False, separators=(",", ":"), allow_nan=False, default=_plain_number)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _plain_number(value: Any) -> Any:  # noqa: ANN401 - numpy scalars
    return value.item()


def with_json(figure: Figure) -> dict[str, Any]:
    """Return a figure's fields for a template, its spec also as JSON that is safe inside a script element.

    Parameters
    ----------
    figure : Figure

    Returns
    -------
    dict
    """
    # Safe as markup because `encode_figure` escapes every character that has a meaning in HTML.
    text = Markup(encode_figure(figure.spec)) if figure.spec else ""  # noqa: S704
    return {name: getattr(figure, name) for name in figure.__dataclass_fields__} | {"json": text}


def _policy(scripts: Sequence[str], nonce: str = "") -> str:
    """Allow these very scripts and nothing else to run; nothing at all to be fetched but plotly.js of a nonce.

    A file beside the page is let in by a nonce: opened from a disk, a page may not read the file, and so no browser
    can hold it to a hash (integrity), while 'self' would let in every script of the disk.
    plotly.js sets style rules and attributes ('unsafe-inline' for style only), draws heat maps as data:
    images and saves pictures through blob: ones.
    """
    digests = [base64.b64encode(hashlib.sha256(s.encode("utf-8")).digest()).decode() for s in scripts]
    allowed = " ".join([f"'sha256-{digest}'" for digest in digests] + ([f"'nonce-{nonce}'"] if nonce else []))
    return (
        "default-src 'none'; img-src data: blob:; style-src 'unsafe-inline'; "
        f"script-src {allowed}; base-uri 'none'; form-action 'none'"
    )
