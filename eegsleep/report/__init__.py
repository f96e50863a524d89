"""Reports: one HTML file that draws itself anywhere, without a network.

The page of a night draws itself on canvases: `night_data` and `trace` put tables and signal into it, the scripts in
`templates/night/` draw them. The other pages draw with plotly.js. No other module draws.
"""
