"""How an object shows itself in a notebook: a small table, every text in it escaped."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def show_facts(title: str, facts: Mapping[str, str], picture: str = "") -> str:
    """Return HTML of a title, a picture and a table of two columns.

    Parameters
    ----------
    title : str
    facts : mapping of str to str
        What is shown for each name; a fact without text is left out.
    picture : str, optional
        SVG, which is not escaped.

    Returns
    -------
    str
    """
    cell = '<td style="text-align:left;vertical-align:top">'
    rows = (f"<tr>{cell}{escape(name)}</td>{cell}{escape(text)}</td></tr>" for name, text in facts.items() if text)
    return f"<div><strong>{escape(title)}</strong>{picture}<table>{''.join(rows)}</table></div>"
