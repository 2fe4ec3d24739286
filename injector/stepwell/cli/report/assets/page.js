"use strict";
(() => {
  const { data, dark, COLOURS, palette, unit, size, time, show } = frame;
  const OPS = ["read", "mmap", "sendfile", "splice", "copy", "write"];
  // The processes that moved most bytes have a colour of their own, the same in every picture.
  const COLOURED = new Map(data.order.slice(0, COLOURS - 1).map((reader, i) => [reader, [data.readers[reader], i]]));
  const OTHERS = ["other processes", -1];
  const seconds = (microseconds) => microseconds / 1e6;

  // The end of a path tells more than its start. Rows may not share a label: equal ones would become one row.
  function distinct(labels, length) {
    const seen = new Set();
    return labels.map((label) => {
      let name = label.length > length ? "…" + label.slice(1 - length) : label;
      while (seen.has(name)) name += "\u200b";
      seen.add(name);
      return name;
    });
  }

  const across = (field = "t") => ({
    field, type: "quantitative", title: "seconds", scale: { domain: [0, seconds(data.duration)], nice: false },
    axis: { labelFlush: false, labelOverlap: true },
  });
  const byOp = (ops) => ({
    field: "op", type: "nominal", title: null, legend: ops.length > 1 ? { orient: "top" } : null,
    scale: { domain: OPS.filter((op) => ops.includes(op)), range: OPS.map((op, i) => [op, palette(i)]).filter(([op]) => ops.includes(op)).map(([, colour]) => colour) },
  });

  function rate() {
    const { slice, read, written } = data.timeline;
    const [scale, name] = unit(Math.max(...read, ...written) / seconds(slice));
    const values = [];
    for (const [op, cells] of [["read", read], ["write", written]]) {
      if (cells.some((bytes) => bytes > 0)) {
        cells.forEach((bytes, i) => values.push({ op, t: seconds(i * slice), u: seconds((i + 1) * slice), v: bytes / seconds(slice) / scale }));
      }
    }
    const ops = [...new Set(values.map((row) => row.op))];
    return {
      height: 140, data: { values }, mark: { type: "area", interpolate: "step-after", opacity: 0.75 },
      encoding: { x: across(), y: { field: "v", type: "quantitative", title: `${name}/s`, stack: false }, color: byOp(ops) },
    };
  }

  function stall() {
    const { slice, stall: cells } = data.timeline;
    return {
      height: 80, data: { values: cells.map((us, i) => ({ t: seconds(i * slice), v: us / slice })) },
      mark: { type: "area", interpolate: "step-after", color: palette(5), opacity: 0.75 },
      encoding: { x: across(), y: { field: "v", type: "quantitative", title: "threads" } },
    };
  }

  function heat(figure) {
    const { slice } = data.timeline;
    const labels = distinct(data.heat.map((row) => row.label), Math.floor(Math.min(46, figure.clientWidth / 18)));
    const [scale, name] = unit(Math.max(...data.heat.flatMap((row) => row.cells)) / seconds(slice));
    const values = data.heat.flatMap(({ label, cells }, row) => cells.flatMap((bytes, i) => bytes ? [{
      t: seconds(i * slice), u: seconds((i + 1) * slice), row: labels[row], path: label, v: bytes / seconds(slice) / scale, text: `${size(bytes / seconds(slice))}/s`,
    }] : []));
    const highest = Math.max(...values.map((row) => row.v));
    return {
      height: 15 * labels.length, data: { values }, mark: { type: "rect" },
      encoding: {
        x: across(), x2: { field: "u" },
        y: { field: "row", type: "ordinal", title: null, sort: labels, scale: { domain: labels, paddingInner: 0.12 }, axis: { labelLimit: 400, labelFont: "monospace", labelFontSize: 11, grid: false, ticks: false } },
        color: {
          field: "v", type: "quantitative", title: `${name}/s`,
          scale: { type: "log", scheme: dark.matches ? "viridis" : "yellowgreenblue", domain: [highest / 1e4, highest], clamp: true },
          legend: { orient: "top", gradientLength: 200, format: "~g" },
        },
        tooltip: [{ field: "path", title: "files" }, { field: "text", title: "rate" }, { field: "t", title: "from s", format: ".3f" }],
      },
    };
  }

  function picture(figure) {
    const it = data.pictures[+figure.dataset.index];
    const [scale, name] = unit(it.size);
    const known = it.reader.filter((reader) => COLOURED.has(reader));
    const names = [...new Set(known)].map((reader) => COLOURED.get(reader));
    if (known.length < it.reader.length) names.push(OTHERS);
    const values = [];
    it.start.forEach((start, i) => {
      const colour = COLOURED.get(it.reader[i]) || OTHERS;
      const row = { who: colour[0], process: data.readers[it.reader[i]] || `process ${it.reader[i]}`, op: it.write[i] ? "write" : "read" };
      const [t, u, from, to] = [seconds(start), seconds(it.end[i]), it.offset[i] / scale, it.last[i] / scale];
      if (it.line[i]) values.push({ ...row, t, u, from, to, line: true });
      else {
        values.push({ ...row, t, u: t, from, to: from, line: false });
        if (u !== t) values.push({ ...row, t: u, u, from: to, to, line: false });
      }
    });
    const tooltip = [{ field: "process", title: "process" }, { field: "op", title: "access" }, { field: "t", title: "s", format: ".4f" }, { field: "from", title: name, format: ".4f" }];
    const y = { field: "from", type: "quantitative", title: name, scale: { domain: [0, it.size / scale], nice: false } };
    const color = { field: "who", type: "nominal", title: null, scale: { domain: names.map(([who]) => who), range: names.map(([, hue]) => palette(hue)) }, legend: names.length > 1 ? { orient: "bottom", columns: 4, symbolType: "stroke", symbolStrokeWidth: 3 } : null };
    return {
      height: 150, data: { values },
      layer: [
        { transform: [{ filter: "datum.line" }], mark: { type: "rule", strokeWidth: 1.6, strokeCap: "round" }, encoding: { x: across(), x2: { field: "u" }, y, y2: { field: "to" }, color, tooltip } },
        { transform: [{ filter: "!datum.line" }], mark: { type: "square", size: 5, opacity: 0.9 }, encoding: { x: across(), y, color, tooltip } },
      ],
    };
  }

  function bars(rows, names, title) {
    const [scale, name] = title === "bytes" ? unit(Math.max(...rows.map((row) => row.v))) : [1, title];
    const ops = [...new Set(rows.map((row) => row.op))];
    return {
      height: 16 * names.length, data: { values: rows.map((row) => ({ ...row, v: row.v / scale })) }, mark: { type: "bar" },
      encoding: {
        y: { field: "name", type: "ordinal", sort: names, scale: { domain: names }, title: null, axis: { grid: false, ticks: false, labelLimit: 200 } },
        x: { field: "v", type: "quantitative", title: name, axis: { format: scale === 1 ? "~s" : "~g", tickCount: 5 } },
        color: byOp(ops),
        tooltip: [{ field: "op", title: "access" }, { field: "name", title: "bucket" }, { field: "text", title }],
      },
    };
  }

  const bySize = (column, title, text) => {
    const names = [...new Set([...data.sizes].sort((a, b) => a[1] - b[1]).map((row) => row[2]))];
    return bars(data.sizes.map((row) => ({ op: row[0], name: row[2], v: row[column], text: text(row[column]) })), names, title);
  };
  const byShape = (column, title, text) =>
    bars(data.shapes.map((row) => ({ op: row[0], name: row[1], v: row[column], text: text(row[column]) })), ["consecutive", "strided", "backward", "single"].filter((shape) => data.shapes.some((row) => row[1] === shape)), title);
  const whole = (number) => number.toLocaleString("en");

  function order(figure) {
    const it = data.orders[+figure.dataset.index];
    const values = it.start.map((start, i) => ({
      t: seconds(start), rank: it.rank[i] * (it.files - 1) + 1, epoch: it.epoch[i] < 0 ? "no epoch" : `epoch ${it.epoch[i] + 1}`,
      process: data.readers[it.reader[i]] || `process ${it.reader[i]}`,
    }));
    const epochs = [...new Set(values.map((row) => row.epoch))];
    return {
      height: 190, data: { values }, mark: { type: "point", filled: true, size: 9, opacity: 0.8 },
      encoding: {
        x: across(), y: { field: "rank", type: "quantitative", title: "file, by name", scale: { domain: [1, Math.max(it.files, 2)], nice: false } },
        color: {
          field: "epoch", type: "nominal", title: null, scale: { domain: epochs, range: epochs.map((_, i) => palette(i % (COLOURS - 1))) },
          legend: epochs.length > 1 && epochs.length < 16 ? { orient: "bottom", columns: 8 } : null,
        },
        tooltip: [{ field: "t", title: "s", format: ".3f" }, { field: "rank", title: "file", format: ".0f" }, { field: "epoch", title: "pass" }, { field: "process", title: "process" }],
      },
    };
  }

  function cache(figure) {
    const it = data.caches[+figure.dataset.index];
    const row = (policy, bytes, miss) => ({ policy, bytes, miss: 100 * miss, text: size(bytes) });
    const values = [...it.lru.map(([bytes, miss]) => row("lru", bytes, miss)), ...it.others.map((other) => row(...other))];
    const policies = [...new Set(values.map((point) => point.policy))];
    const x = { field: "bytes", type: "quantitative", title: "bytes of the cache", scale: { type: "log", base: 2, nice: false }, axis: { labelExpr: "datum.value < 1048576 ? datum.value / 1024 + ' KiB' : datum.value < 1073741824 ? datum.value / 1048576 + ' MiB' : datum.value / 1073741824 + ' GiB'", labelOverlap: true } };
    const y = { field: "miss", type: "quantitative", title: "% missed", scale: { domain: [0, 100] } };
    const color = { field: "policy", type: "nominal", title: null, scale: { domain: policies, range: policies.map((_, i) => palette(i)) }, legend: policies.length > 1 ? { orient: "top" } : null };
    const tooltip = [{ field: "policy", title: "policy" }, { field: "text", title: "cache" }, { field: "miss", title: "% missed", format: ".1f" }];
    const layer = [
      { data: { values }, mark: { type: "line", strokeWidth: 2 }, encoding: { x, y, color } },
      { data: { values }, mark: { type: "point", filled: true, size: 18 }, encoding: { x, y, color, tooltip } },
    ];
    if (it.recommended) {
      layer.push({ data: { values: [{ bytes: it.recommended }] }, mark: { type: "rule", strokeDash: [4, 3], color: palette(5) }, encoding: { x } });
    }
    return { height: 170, layer };
  }

  const SIDES = ["without", "acting"];
  const bySide = () => ({ field: "side", type: "nominal", title: null, scale: { domain: SIDES, range: [palette(1), palette(0)] }, legend: { orient: "top" } });

  function waits(figure) {
    const values = data.acts[+figure.dataset.index].filter(([start, end]) => end > start).map(([start, end, acting, waited, expected]) => ({
      t: seconds(start), u: seconds(end), side: SIDES[+acting], v: waited / (end - start), zero: 0, expected: expected === null ? null : expected / (end - start),
    }));
    const tooltip = [{ field: "side", title: "window" }, { field: "t", title: "from s", format: ".3f" }, { field: "v", title: "threads waiting", format: ".3f" }, { field: "expected", title: "expected without", format: ".3f" }];
    const y = (field) => ({ field, type: "quantitative", title: "threads waiting" });
    return {
      height: 190, data: { values },
      layer: [
        { mark: { type: "rect", opacity: 0.8 }, encoding: { x: across(), x2: { field: "u" }, y: y("v"), y2: { field: "zero" }, color: bySide(), tooltip } },
        { transform: [{ filter: "datum.side === 'acting' && datum.expected !== null" }], mark: { type: "rule", strokeWidth: 2, color: palette(5) }, encoding: { x: across(), x2: { field: "u" }, y: y("expected"), tooltip } },
      ],
    };
  }

  function saved(figure) {
    const values = [];
    let [waited, expected] = [0, 0];
    const point = (at) => values.push({ t: seconds(at), line: "as it was", v: seconds(waited) }, { t: seconds(at), line: "expected without acting", v: seconds(expected) });
    for (const [start, end, , as, without] of data.acts[+figure.dataset.index]) {
      point(start);
      [waited, expected] = [waited + as, expected + without];
      point(end);
    }
    const lines = ["as it was", "expected without acting"];
    return {
      height: 190, data: { values }, mark: { type: "line", strokeWidth: 2 },
      encoding: {
        x: across(), y: { field: "v", type: "quantitative", title: "seconds waited, all threads" },
        color: { field: "line", type: "nominal", title: null, scale: { domain: lines, range: [palette(0), palette(5)] }, legend: { orient: "top" } },
        tooltip: [{ field: "line", title: "waiting" }, { field: "t", title: "s", format: ".3f" }, { field: "v", title: "seconds", format: ".3f" }],
      },
    };
  }

  function latency() {
    const values = data.latencies.flatMap(([op, counts]) => counts.flatMap((count, k) => count ? [{
      op, low: 2 ** (k + 8), high: 2 ** (k + 9), count, floor: 0.5, text: `${k ? time(2 ** (k + 8)) : 0} to ${time(2 ** (k + 9))}`,
    }] : []));
    const edges = values.flatMap((row) => [row.low, row.high]);
    const ops = [...new Set(values.map((row) => row.op))];
    return {
      height: 160, data: { values }, mark: { type: "bar", opacity: 0.75, binSpacing: 0 },
      encoding: {
        x: {
          field: "low", type: "quantitative", title: null, scale: { type: "log", domain: [Math.min(...edges), Math.max(...edges)], nice: false },
          axis: { values: [...Array(8).keys()].map((k) => 10 ** (k + 3)), labelExpr: "datum.value < 1e6 ? datum.value / 1e3 + ' us' : datum.value < 1e9 ? datum.value / 1e6 + ' ms' : datum.value / 1e9 + ' s'" },
        },
        x2: { field: "high" },
        y: { field: "count", type: "quantitative", title: "accesses", stack: false, scale: { type: "log", domainMin: 0.5 }, axis: { format: "~s", tickCount: 4 } },
        y2: { field: "floor" },
        color: byOp(ops), tooltip: [{ field: "op", title: "access" }, { field: "text", title: "took" }, { field: "count", title: "accesses", format: "," }],
      },
    };
  }

  const charts = {
    rate, stall, heat, picture, order, cache, latency, waits, saved,
    "sizes": () => bySize(3, "accesses", whole),
    "size-bytes": () => bySize(4, "bytes", size),
    "shapes": () => byShape(2, "accesses", whole),
    "shape-bytes": () => byShape(3, "bytes", size),
  };

  show(charts);
})();
