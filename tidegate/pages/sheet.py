"""Colours and type, in light and dark; every difference is also one of shape or lightness."""

from collections.abc import Mapping

from tidegate.pages.markup import Markup, tag

LIGHT: Mapping[str, str] = {
    "paper": "#fbfaf7",
    "card": "#ffffff",
    "ink": "#1c2329",
    "soft": "#5c6770",
    "faint": "#a9b0b5",
    "rule": "#e5e2da",
    "edge": "#cbcbc5",
    "tide": "#0d6b7e",
    "wash": "#d9ecef",
    "harm": "#b43c17",
    "blush": "#f8e3da",
    "step0": "#0a4552",
    "step1": "#0d6b7e",
    "step2": "#3f93a4",
    "step3": "#7db8c5",
    "step4": "#b4d8df",
}
DARK: Mapping[str, str] = {
    "paper": "#0f1418",
    "card": "#151b20",
    "ink": "#e9e7e2",
    "soft": "#a2acb4",
    "faint": "#626d76",
    "rule": "#283038",
    "edge": "#3c464e",
    "tide": "#55c0d3",
    "wash": "#143640",
    "harm": "#ff9069",
    "blush": "#40251b",
    "step0": "#d3f4f9",
    "step1": "#8ed3e0",
    "step2": "#55a9ba",
    "step3": "#357d8b",
    "step4": "#235a65",
}
RAMP = 5
SANS = "system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif"
SERIF = "'Iowan Old Style','Palatino Linotype',Palatino,Georgia,'Times New Roman',serif"
MONO = "ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace"

# Rules that hold a colour; they are written once per scheme.
_PAINT = """
.paper{fill:@paper}.card{fill:@card;stroke:@rule}
.t{fill:@ink}.t2{fill:@soft}.t3{fill:@faint}
.grid{stroke:@rule}.axis{stroke:@faint}
.rise{stroke:@tide}.fall{stroke:@harm}.plain{stroke:@ink}.serve{stroke:@soft}
.area{fill:@wash}.lost{fill:@blush}.lines,.edged{stroke:@harm}
.go{fill:@tide;stroke:@tide}.stop{fill:@harm;stroke:@harm}
.go.by,.stop.by,.still{fill:@card}.go.by{stroke:@tide}.stop.by{stroke:@harm}.still{stroke:@ink}
.good{fill:@tide}.open,.none{fill:@faint}.tf{fill:@tide}.hf{fill:@harm}
.strip{fill:@rule}.on-lost{stroke:@blush}.on-area{stroke:@wash}
"""
_SHAPE = """
text{font-family:@sans;font-size:12px}
.b{font-weight:600}.s{font-size:11px}.big{font-size:15px;font-weight:600}
.grid{stroke-width:1}.axis{stroke-width:1}
.rise,.fall,.plain{fill:none;stroke-width:2.25;stroke-linejoin:round;stroke-linecap:round}
.thin{stroke-width:1.75}.wait{stroke-dasharray:2 5}
.serve{fill:none;stroke-width:1.25;stroke-dasharray:1 3}
.drop{stroke-dasharray:none}.bound{stroke-width:1.25;stroke-dasharray:6 4;fill:none}
.mark{stroke-width:1.75;stroke-linejoin:round}.m{font-variant-numeric:tabular-nums}
.on-lost,.on-area{paint-order:stroke;stroke-width:4;stroke-linejoin:round}
.e{text-anchor:end}.c{text-anchor:middle}
"""


_PAGE_PAINT = """
body{background:@paper;color:@ink}
.eyebrow,.name,dt,small,.note,footer,.legend,figcaption,.stratum span,.k,thead th{color:@soft}
.part,table,dl,.chart.wide,figure,.board a,.answers{border-color:@rule}
article+article,header:has(nav)+main{border-color:@rule}
tbody tr,.answers li{border-color:@rule}.chart.wide,figure,.board a{background:@card}
.answers .glyph{color:@tide}.answers .harm .glyph,.card.harm .state{color:@harm}
.chip{color:@tide;border-color:@tide}.chip.harm{color:@harm;border-color:@harm}
tr.harm th b,tr.harm td{color:@harm}
a{color:@tide}.board a{color:@ink}.state{color:@tide}.notch{stroke:@card}
i{border-color:@edge}.x,.g{border-color:@soft}
.k.c0{stroke:@step0}.k.c1{stroke:@step1}.k.c2{stroke:@step2}.k.c3{stroke:@step3}
.k.c4{stroke:@step4}.k.r{stroke:@harm}.k.s{stroke:@edge}.k.l,.k.dot{stroke:@tide}
.k.x,.k.g{stroke:@soft}.hole{stroke:@paper}
.l{border-color:@tide;background:radial-gradient(@tide 30%,transparent 36%)}
.c0{background:@step0;border-color:@step0}.c1{background:@step1;border-color:@step1}
.c2{background:@step2;border-color:@step2}.c3{background:@step3;border-color:@step3}
.c4{background:@step4;border-color:@step4}
.r{border-color:@harm;
background:linear-gradient(45deg,transparent 42%,@harm 42%,@harm 58%,transparent 58%)}
.x{background:linear-gradient(transparent 42%,@soft 42%,@soft 58%,transparent 58%)}
"""
_PAGE_SHAPE = """
*{box-sizing:border-box}
body{margin:0 auto;padding:28px 20px 60px;max-width:1120px;font:15px/1.5 @sans;
-webkit-text-size-adjust:100%}
.defs{position:absolute}
.name{margin:0 0 18px;font-size:13px;letter-spacing:.02em}
.eyebrow{margin:34px 0 4px;font-size:13px;letter-spacing:.02em}
h1,.headline{margin:0 0 14px;font:400 32px/1.22 @serif;letter-spacing:-.01em;max-width:30em;
text-wrap:balance}
h2.headline{font-size:28px}
.lead{margin:0 0 22px;font-size:17px;max-width:44em;overflow-wrap:anywhere}
.lead+.lead{margin-top:-14px}
.part{margin:46px 0 14px;padding-top:14px;border-top:1px solid;font-size:20px;font-weight:600}
article+article,header:has(nav)+main{margin-top:56px;border-top:3px double}
.answers{margin:0 0 30px;padding:0;list-style:none;border-bottom:1px solid}
.answers li{display:flex;gap:14px;padding:11px 0;border-top:1px solid}
.answers .glyph{flex:none;width:1.2em;font-size:20px;line-height:1.2;text-align:center}
.answers a{font-weight:600;text-decoration:none}.say{display:block;overflow-wrap:anywhere}
.chip{margin-left:6px;padding:2px 9px;border:1px solid;border-radius:20px;font-size:12px;
font-weight:600;vertical-align:3px}
nav h3{margin:22px 0 8px;font-size:15px;font-weight:600}
.board{display:flex;flex-wrap:wrap;gap:12px 30px}
.board a{position:relative;flex:1 1 180px;max-width:340px;padding:12px 16px;border:1px solid;
border-radius:10px;text-decoration:none}
.board a>*{display:block}.board strong{font:400 26px/1.3 @serif}.k,.state{font-size:13px}
.board small{display:inline;margin-left:8px}
.board .after::before{content:'\2192';position:absolute;left:-25px;top:calc(50% - .75em)}
.bar{width:100%;height:6px;margin-top:8px}
.chart svg{display:block;width:100%;height:auto}
.chart.wide{padding:8px 4px;border:1px solid;border-radius:10px;overflow-x:auto}
.chart.wide{direction:rtl}.chart.wide svg{min-width:760px;direction:ltr}
dl{display:grid;grid-template-columns:max-content 1fr;gap:3px 22px;margin:0 0 20px}
dt{font-size:13px;line-height:23px}dd{margin:0;overflow-wrap:anywhere}
.scroll{overflow-x:auto}
table{width:100%;border-collapse:collapse;font-variant-numeric:tabular-nums}
th,td{padding:7px 14px 7px 0;text-align:left;vertical-align:top;font-weight:400}
tbody tr{border-top:1px solid}thead th{font-size:13px}tbody th b,.harm td{font-weight:600}
small{display:block;font-size:13px}
.commits .n,.commits td:nth-child(3),.commits td:last-child{white-space:nowrap}
code{font:13px @mono}
.curves{display:flex;flex-wrap:wrap;gap:16px;margin:22px 0}
figure{flex:1 1 330px;max-width:420px;margin:0;padding:10px 8px 4px;
border:1px solid;border-radius:10px}
figcaption{padding:0 6px 2px;font-size:13px}
.legend{display:flex;flex-wrap:wrap;gap:4px 20px;margin:22px 0 12px;font-size:13px}
.legend i{margin-right:7px;vertical-align:-1px}
.beside{flex:1 1 240px;padding-top:8px;font-size:15px}
.beside p{margin:0 0 8px;overflow-wrap:anywhere}
.numbers td:nth-child(-n+5){text-align:right}
.numbers th:nth-child(n+2):nth-child(-n+5){text-align:right}
.numbers td:nth-child(n+6),.numbers thead th:nth-child(n+6){padding-left:20px}
.cohort{display:grid;grid-template-columns:repeat(auto-fill,minmax(200px,1fr));gap:14px 22px}
.stratum p{display:flex;justify-content:space-between;margin:0 0 3px;font-size:12px}
.stratum b{font-weight:500;overflow-wrap:anywhere}
.q{line-height:0}
i{display:inline-block;width:11px;height:11px;margin:0 2px 2px 0;border:1px solid;border-radius:2px}
i.g{transform:scale(.4)}
.tiny{grid-template-columns:repeat(auto-fill,minmax(240px,1fr))}
.dense{display:block;width:240px;max-width:100%}
.k{fill:none;stroke-width:5;stroke-dasharray:5 1}
.hole{stroke-width:3;stroke-dasharray:3 3;stroke-dashoffset:-1}
.k.dot{stroke-width:1.6;stroke-dasharray:1.6 4.4;stroke-dashoffset:-1.7}
.k.x{stroke-width:1}.k.g{stroke-width:1;stroke-dasharray:1 5;stroke-dashoffset:-2}
details{margin-top:26px}summary{cursor:pointer;font-size:16px;font-weight:600}
footer{margin-top:60px;font-size:13px}
@media(max-width:560px){h1,.headline,h2.headline{font-size:25px}body{padding:18px 14px 40px}
.lead{font-size:16px}dl{grid-template-columns:74px 1fr;gap:4px 10px}
.board a{max-width:none;flex-basis:100%}.board .after::before{content:none}
thead{position:absolute;clip-path:inset(50%)}
table,tbody,th,td{display:block}tr{display:grid;gap:4px 12px;padding:9px 0}
th,td,.numbers td:nth-child(n){padding:0;text-align:left}
.numbers tr{grid-template-columns:1fr 1.4fr 1.2fr}.numbers th{grid-column:1/-1}
.numbers td::before{content:attr(data-name);display:block;font-size:12px;font-weight:400}
.commits tr{grid-template-columns:auto 1fr}
.commits td:nth-child(3),.commits td:nth-child(4){grid-column:1/-1}
.tiny{grid-template-columns:1fr}.dense{width:100%}
}
@media print{body{max-width:none;padding:0}figure,.answers,.board a,.stratum{break-inside:avoid}
i{print-color-adjust:exact}.chart.wide svg{min-width:0}a{color:inherit}}
"""


def page_rules() -> str:
    """Write all rules of the page."""
    shape = _PAGE_SHAPE
    for name, family in (("@sans", SANS), ("@serif", SERIF), ("@mono", MONO)):
        shape = shape.replace(name, family)
    return _flat(shape) + chart_rules() + schemes(_PAGE_PAINT)


def chart_rules() -> str:
    """Write the rules that every chart needs, light and dark."""
    shape = _SHAPE.replace("@sans", SANS)
    return schemes(_PAINT) + _flat(shape)


def schemes(rules: str) -> str:
    """Write rules with `@colour` names for both schemes."""
    dark = _flat(_painted(rules, DARK))
    return f"{_flat(_painted(rules, LIGHT))}@media(prefers-color-scheme:dark){{{dark}}}"


def _painted(rules: str, colours: Mapping[str, str]) -> str:
    for name, colour in colours.items():
        rules = rules.replace(f"@{name}", colour)
    return rules


def _flat(rules: str) -> str:
    return "".join(line.strip() for line in rules.splitlines())


def hatching(name: str = "hatch") -> Markup:
    """Define the pattern that marks what was taken back, for those who see no colour."""
    line = tag("path", d="M0 6L6 0", class_="lines", stroke_width=1)
    pattern = tag("pattern", line, id=name, width=6, height=6, patternUnits="userSpaceOnUse")
    return tag("defs", pattern)
