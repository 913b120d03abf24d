# SPDX-License-Identifier: MIT
"""The style of the page: the colours are those of teller-load's report (see
src/load/page_style.c), which the colour-blind can tell apart too."""

# No two alike: charts.py draws with them, and finds them again in what was drawn.
LIGHT = {"page": "#f4f6f8", "card": "#ffffff", "ink": "#17202b",
         "soft": "#556070", "rule": "#dfe4ea", "bad": "#b01e14",
         "bar": "#8fb4d3", "base": "#0064a9", "l0": "#0064a8",
         "l1": "#007858", "l2": "#b04a00", "l3": "#a0307c", "l4": "#5b5f00",
         "l5": "#5040b0"}
DARK = {"page": "#10151b", "card": "#1a212a", "ink": "#e8edf2",
        "soft": "#a3aebb", "rule": "#323c48", "bad": "#ff8a7d",
        "bar": "#3d6a8c", "base": "#5cb8f0", "l0": "#5cb8f0", "l1": "#2fcfa0",
        "l2": "#f0a040", "l3": "#ee92c8", "l4": "#d6d24a", "l5": "#b0a4ff"}


def variables(colours):
    return " ".join(f"--{name}: {colour};" for name, colour in colours.items())


STYLE = f"""
:root {{ color-scheme: light dark; --font: system-ui, sans-serif;
  {variables(LIGHT)} }}
@media (prefers-color-scheme: dark) {{ :root {{ {variables(DARK)} }} }}
""" + """
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink);
  font: 15px/1.45 var(--font); }
header, main, footer { max-width: 1160px; margin: 0 auto; padding: 0 16px; }
h1 { font-size: 26px; line-height: 1.2; margin: 28px 0 4px; }
h2 { font-size: 20px; margin: 32px 0 8px; }
h3 { font-size: 16px; margin: 0 0 8px; }
header p, footer, .soft { color: var(--soft); }
footer { font-size: 13px; padding-bottom: 24px; }
nav { margin-bottom: 14px; }
nav a { margin-right: 14px; display: inline-block; }
a { color: var(--base); }
section, .note { background: var(--card); border: 1px solid var(--rule);
  border-radius: 8px; padding: 14px; margin: 0 0 14px; }
.note { border-left: 5px solid var(--bad); }
.note p, .note ul { margin: 0; }
.wide { overflow-x: auto; margin: 10px 0; }
table { border-spacing: 0; font-size: 13px; width: 100%;
  font-variant-numeric: tabular-nums; }
th, td { padding: 4px 0 4px 11px; border-top: 1px solid var(--rule);
  text-align: right; white-space: nowrap; vertical-align: top; }
thead th { border-top: none; color: var(--soft); font-weight: 400;
  white-space: normal; vertical-align: bottom; }
th:first-child, td.text { text-align: left; }
tbody th { font-weight: 600; padding-left: 0; position: sticky; left: 0;
  background: var(--card); }
thead th:first-child { padding-left: 0; }
td.why { text-align: left; color: var(--soft); white-space: normal; }
td.fault { color: var(--bad); } td.met { color: var(--l1); }
table.goals th, table.goals td { white-space: normal; }
table.goals td:nth-child(2) { white-space: nowrap; }
details { margin-top: 8px; }
summary { cursor: pointer; color: var(--soft); }
code { font: 12px/1.4 ui-monospace, monospace; overflow-wrap: anywhere; }
dl.commands { margin: 8px 0; } dl.commands dt { font-weight: 600; }
dl.commands dd { margin: 0 0 6px; }
svg { display: block; width: 100%; height: auto;
  overflow: visible; stroke-linejoin: round;
  font-variant-numeric: tabular-nums; }
.panels { display: grid; gap: 16px;
  grid-template-columns: repeat(auto-fit, minmax(min(300px, 100%), 1fr)); }
figure { margin: 0; }
figcaption { font-size: 13px; color: var(--soft); margin-bottom: 4px; }
.pair { display: grid; gap: 20px;
  grid-template-columns: repeat(auto-fit, minmax(min(330px, 100%), 1fr)); }
.legend span { display: inline-flex; align-items: center; margin-right: 14px; }
svg.key { width: 26px; height: 14px; margin-right: 4px; }
@media (max-width: 640px) {
  h1 { font-size: 22px; } section, .note { padding: 10px; }
  th, td { padding-left: 9px; }
  tbody th { white-space: normal; min-width: 110px; } }
@media print { body { background: none; } section { break-inside: avoid; } }
"""
