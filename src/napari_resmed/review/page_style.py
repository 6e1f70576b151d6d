"""How the pages of reports look."""

from __future__ import annotations

__all__ = ["STYLE_SHEET"]

STYLE_SHEET = """\
:root { color-scheme: light; --ink: #1f2933; --soft: #616e7c; --line: #e4e7eb; --wash: #f5f7fa; --wrong: #b34700; }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2.5rem 1.5rem 4rem; max-width: 84rem; background: #fff; color: var(--ink);
  font: 15px/1.5 system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 .3rem; overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; margin: 2.8rem 0 .6rem; }
h3 { font-size: .95rem; margin: 0 0 .3rem; font-weight: 600; }
p { max-width: 54rem; margin: .4rem 0 .9rem; }
small { color: var(--soft); font-weight: 400; font-size: .82em; }
.about { color: var(--soft); }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); gap: .8rem; margin: 1.6rem 0 0; }
.tiles div { background: var(--wash); border-radius: .5rem; padding: .8rem 1rem; }
.tiles b { display: block; font-size: 1.65rem; line-height: 1.2; font-variant-numeric: tabular-nums; }
.tiles span { color: var(--soft); font-size: .85rem; }
.notes { border-left: 4px solid #e69f00; background: #fffaf0; padding: .2rem 1.2rem .8rem; margin-top: 1.8rem;
  border-radius: 0 .5rem .5rem 0; }
.notes h2 { margin: .7rem 0 .3rem; font-size: 1rem; }
.notes ul { margin: 0; padding-left: 1.1rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .88rem; }
th, td { padding: .32rem .45rem; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--line); }
thead th { color: var(--soft); font-weight: 600; vertical-align: bottom; white-space: normal; }
tfoot th, tfoot td { border-top: 2px solid var(--ink); border-bottom: 0; font-weight: 600; }
th.name, th.file, td.file { text-align: left; }
th.name { font-weight: 500; position: sticky; left: 0; background: #fff; }
td.file { color: var(--soft); }
td.count { color: var(--soft); }
td.wrong { color: var(--wrong); font-weight: 600; }
tbody tr:hover > * { background: var(--wash); }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 30rem), 1fr)); gap: 1.6rem 2rem; }
figure { margin: 0; }
.plots svg { width: 100%; height: auto; }
.pictures { display: grid; grid-template-columns: repeat(auto-fill, minmax(17rem, 1fr)); gap: 1.2rem; }
.case img { width: 100%; height: 20rem; object-fit: contain; background: #000; border-radius: .4rem; display: block; }
.case figcaption { font-size: .88rem; padding: .4rem .1rem 0; overflow-wrap: anywhere; align-self: start; }
.key { display: inline-block; width: 1.6rem; vertical-align: middle; margin: 0 .2rem 0 .6rem; }
details { margin-top: 1.2rem; }
summary { cursor: pointer; font-weight: 600; }
.cells td { border: 1px solid #fff; padding: .2rem .45rem; }
.cells th.turned { vertical-align: bottom; min-width: 0; padding: .2rem; text-align: left; }
.cells th.turned span { writing-mode: vertical-rl; transform: rotate(180deg); white-space: nowrap; }
dl { max-width: 58rem; display: grid; grid-template-columns: max-content 1fr; gap: .35rem 1.2rem; font-size: .92rem; }
dt { font-weight: 600; }
dd { margin: 0; }
@media (max-width: 40rem) { dl { grid-template-columns: 1fr; } dd { margin-bottom: .5rem; } }
@media print { body { max-width: none; padding: 0; } figure { break-inside: avoid; } }
"""
