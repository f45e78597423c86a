"""A comparison as one self-contained page."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path

from cxr_train.compare.comparison import CellResult, Comparison
from cxr_train.compare.table import caption, describe_effects, find
from edge_infer.model.model_card import Interval, Metric

PAGE_FILE = "report.html"
_COLUMNS = {
    "accuracy": "accuracy",
    "macro_f1": "macro-F1",
    "weighted_f1": "weighted F1",
    "normal_f1": "F1 normal",
    "pneumonia_f1": "F1 pneumonia",
    "covid19_f1": "F1 COVID-19",
    "tuberculosis_f1": "F1 TB",
    "tb_auroc_against_normal": "TB AUROC, adults against normal",
    "tb_sensitivity": "TB sensitivity",
    "tb_specificity_against_all": "TB specificity, against all others",
    "ece": "calibration error",
}


def write_page(comparison: Comparison, plots: Sequence[Path], out: Path) -> Path:
    """Write report.html with tables and pictures inside; OSError when it cannot be written."""
    page = out / PAGE_FILE
    part = out / f"{PAGE_FILE}.part"
    part.write_text(_render(comparison, plots), encoding="utf-8")
    part.replace(page)
    return page


def _render(comparison: Comparison, plots: Sequence[Path]) -> str:
    tables = "\n".join(
        _table(comparison, split, precision)
        for split in comparison.splits
        for precision in ("fp32", "int8")
    )
    effects = "".join(f"<li>{escape(line)}</li>" for line in describe_effects(comparison))
    pictures = "\n".join(_picture(path) for path in plots)
    return _PAGE.format(
        caption=escape(caption(comparison)),
        tables=tables,
        effects=effects,
        pictures=pictures,
        shown=escape(comparison.splits[-1]),
    )


def _table(comparison: Comparison, split: str, precision: str) -> str:
    what = "checkpoints" if precision == "fp32" else "INT8, first seed"
    heads = "".join(f'<th scope="col">{escape(title)}</th>' for title in _COLUMNS.values())
    rows = "\n".join(_row(result, split, precision) for result in comparison.results)
    return (
        f"<h2>{escape(split)}, {what}</h2>\n<div class=wide><table><thead><tr>"
        f'<th scope="col">cell</th><th scope="col">seeds</th>'
        f'<th scope="col">{_cost_head(precision)}</th>{heads}</tr></thead>\n'
        f"<tbody>{rows}</tbody></table></div>"
    )


def _cost_head(precision: str) -> str:
    return "parameters, MACs" if precision == "fp32" else "MB, ms a film"


def _row(result: CellResult, split: str, precision: str) -> str:
    metrics = result.metrics if precision == "fp32" else result.int8_metrics
    seeds = str(len(result.cell.seeds)) if precision == "fp32" else "1"
    cells = "".join(_cells(metrics, split))
    return (
        f'<tr><th scope="row">{escape(result.cell.name)}</th><td>{seeds}</td>'
        f"<td>{_cost(result, precision)}</td>{cells}</tr>"
    )


def _cost(result: CellResult, precision: str) -> str:
    if precision == "fp32":
        return f"{result.parameters / 1e6:.1f} M, {result.macs / 1e6:.0f} M"
    if result.deployed is None:
        return ""
    return f"{result.deployed.megabytes:.1f}, {result.deployed.milliseconds:.1f}"


def _cells(metrics: Sequence[Metric], split: str) -> Iterator[str]:
    for column in _COLUMNS:
        yield f"<td>{_show(find(metrics, split, column))}</td>"


def _show(estimate: Interval | None) -> str:
    if estimate is None:
        return ""
    return f"{estimate.value:.3f}<br><small>{estimate.low:.3f} to {estimate.high:.3f}</small>"


def _picture(path: Path) -> str:
    data = b64encode(path.read_bytes()).decode("ascii")
    name = escape(path.stem)
    return f'<figure><img alt="{name}" src="data:image/png;base64,{data}"></figure>'


_PAGE = """\
<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Comparison of chest film classifiers</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 76rem;
  padding: 0 1rem; }}
.wide {{ overflow-x: auto; }}
table {{ border-collapse: collapse; font-variant-numeric: tabular-nums; }}
th, td {{ border-bottom: 1px solid #8886; padding: .35rem .6rem; text-align: left;
  vertical-align: top; white-space: nowrap; }}
thead th {{ white-space: normal; min-width: 5.5rem; font-weight: 600; }}
small {{ opacity: .75; }}
figure {{ display: inline-block; margin: .5rem; background: #fff; }}
img {{ max-width: 100%; }}
</style></head><body>
<h1>Comparison of chest film classifiers</h1>
<p>{caption}</p>
<p><strong>Research use only; not a medical device.</strong> In public collections the class can
nearly be read from the source: run <code>cxr-train audit</code> on the same data before believing
any of these figures.</p>
{tables}
<h2>Differences between cells, val, paired by group and seed</h2>
<ul>{effects}</ul>
<h2>Pictures ({shown}, first seed of each cell)</h2>
{pictures}
</body></html>
"""
