"""Reports: one HTML file that draws itself anywhere, without a network.

`night_figures` turns tables into plotly figures, each with the caption that teaches how to read it;
`pages` composes them with markers, methods and provenance into a page. No other module draws.
"""
