"use strict";
(() => {
  const { data, COLOURS, palette, unit, size, time, show } = frame;
  const TIMES = "datum.value < 1e6 ? datum.value / 1e3 + ' us' : datum.value < 1e9 ? datum.value / 1e6 + ' ms' : datum.value / 1e9 + ' s'";
  const BYTES = "datum.value < 1048576 ? datum.value / 1024 + ' KiB' : datum.value / 1048576 + ' MiB'";
  const [scale, name] = unit(Math.max(...data.cells.map((cell) => cell.rate)));
  const cells = data.cells.map((cell) => ({ ...cell, v: cell.rate / scale, size: size(cell.block), text: `${size(cell.rate)}/s`, took: time(cell.median) }));
  const model = data.model.map((row) => ({ ...row, v: row.rate / scale, size: size(row.block) }));
  const chosen = cells.filter((cell) => data.choice && cell.block === data.choice[0] && cell.at_once === data.choice[1]);
  const tooltip = [
    { field: "size", title: "size" }, { field: "at_once", title: "at once" }, { field: "text", title: "rate" }, { field: "took", title: "half took" },
  ];

  const log = (field, title, axis) => ({ field, type: "quantitative", title, scale: { type: "log", base: 2, nice: false }, axis: { labelOverlap: true, ...axis } });
  const bySize = () => log("block", "size of a read", { labelExpr: BYTES });
  const byAtOnce = () => log("at_once", "reads at once");
  const rate = () => ({ field: "v", type: "quantitative", title: `${name}/s`, scale: { type: "log", nice: false }, axis: { format: "~g", tickCount: 5 } });
  const took = (field) => ({ field, type: "quantitative", title: null, scale: { type: "log", nice: false }, axis: { labelExpr: TIMES, tickCount: 5 } });

  function colour(field) {
    const key = field === "size" ? "block" : "at_once";
    const names = [...cells].sort((a, b) => a[key] - b[key]).map((cell) => cell[field]);
    const domain = [...new Set(names)];
    return { field, type: "nominal", title: null, scale: { domain, range: domain.map((_, i) => palette(i % COLOURS)) }, legend: { orient: "bottom", columns: 8 } };
  }

  function alone() {
    const values = data.alone.map((row) => ({ ...row, size: size(row.block), took: time(row.median), rarely: time(row.p99) }));
    const x = bySize();
    const layer = [
      { data: { values: data.line }, mark: { type: "area", opacity: 0.25, color: palette(1) }, encoding: { x, y: took("low"), y2: { field: "high" } } },
      { data: { values: data.line }, mark: { type: "line", strokeWidth: 2, color: palette(1) }, encoding: { x, y: took("expected") } },
      { data: { values }, mark: { type: "rule", strokeWidth: 1.5, color: palette(0) }, encoding: { x, y: took("median"), y2: { field: "p99" } } },
      {
        data: { values }, mark: { type: "point", filled: true, size: 40, color: palette(0), opacity: 1 },
        encoding: { x, y: took("median"), tooltip: [{ field: "size", title: "size" }, { field: "took", title: "half took" }, { field: "rarely", title: "99 % took" }] },
      },
    ];
    if (data.knee) {
      layer.push({ data: { values: [{ block: data.knee }] }, mark: { type: "rule", strokeDash: [4, 3], color: palette(5) }, encoding: { x } });
    }
    return { height: 240, layer: layer.filter((part) => part.data.values.length) };
  }

  function curves(x, field, y, values, expected) {
    const color = colour(field);
    const layer = [
      { data: { values: expected }, mark: { type: "line", strokeDash: [3, 3], opacity: 0.6, strokeWidth: 1.2 }, encoding: { x, y, color } },
      { data: { values }, mark: { type: "line", strokeWidth: 2 }, encoding: { x, y, color } },
      { data: { values }, mark: { type: "point", filled: true, size: 28, opacity: 1 }, encoding: { x, y, color, tooltip } },
      { data: { values: chosen }, mark: { type: "point", size: 160, strokeWidth: 2, color: palette(5), opacity: 1 }, encoding: { x, y, tooltip } },
    ];
    return { height: 240, layer: layer.filter((part) => part.data.values.length) };
  }

  show({
    alone,
    "sizes": () => curves(bySize(), "at_once", rate(), cells, model),
    "at-once": () => curves(byAtOnce(), "size", rate(), cells, model),
    "times": () => curves(byAtOnce(), "size", took("median"), cells, []),
  });
})();
