"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const byId = (id) => document.getElementById(id);
  const model = (name) => Bokeh.documents[0].get_model_by_name(name);
  const number = (value) => value.toLocaleString("en");
  let sample = null; // the unpacked sample

  async function unpacked(text) {
    const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    const buffer = await new Response(stream).arrayBuffer();
    let at = 0;
    const take = (length) => buffer.slice(at, (at += length));
    const spikes = (raster) => {
      const cells = data.steps * raster.size;
      const packed = new Uint8Array(take(raster.bytes ? cells : Math.ceil(cells / 8)));
      if (raster.bytes) return packed;
      return Uint8Array.from({length: cells}, (_, n) => (packed[n >> 3] >> (n & 7)) & 1);
    };
    const potentials = (traced) => {
      const view = new DataView(take(4 * data.steps * traced.neurons.length));
      return Array.from({length: view.byteLength / 4}, (_, n) => view.getInt32(4 * n, true));
    };
    const both = (read) => (item) => ({golden: read(item), rtl: item.rtl ? read(item) : null});
    return {rasters: data.rasters.map(both(spikes)), potentials: data.potentials.map(both(potentials))};
  }

  function fit(name, values) {
    const low = Math.min(...values), high = Math.max(...values), room = 0.08 * (high - low || 1);
    Object.assign(model(name), {start: low === 0 ? 0 : low - room, end: high + room});
  }

  function showRasters() {
    const words = [];
    data.rasters.forEach((raster, n) => {
      const {golden, rtl} = sample.rasters[n];
      const columns = {both: [], golden: [], rtl: []};
      let total = 0, other = 0, differing = 0;
      golden.forEach((count, cell) => {
        const got = rtl ? rtl[cell] : count;
        total += count;
        other += got;
        if (!count && !got) return;
        const kind = count === got ? "both" : count > got ? "golden" : "rtl";
        differing += kind !== "both";
        columns[kind].push([Math.floor(cell / raster.size), cell % raster.size,
          kind === "both" ? String(count) : `${count}, hardware ${got}`]);
      });
      for (const [kind, rows] of Object.entries(columns)) {
        model(`raster-${n}-${kind}`).data =
          {step: rows.map((row) => row[0]), neuron: rows.map((row) => row[1]), count: rows.map((row) => row[2])};
      }
      const what = raster.input ? "events" : "spikes";
      const compared = rtl ? `, hardware ${number(other)}, ${number(differing)} differ` : "";
      words.push(`${raster.name}: ${number(total)} ${what}${compared}`);
    });
    byId("activity-summary").textContent = `Sample ${byId("sample").value}. ${words.join("; ")}.`;
  }

  function showTrace() {
    const p = byId("population").selectedIndex, n = byId("neuron").selectedIndex;
    if (p < 0 || n < 0) return;
    const traced = data.potentials[p], width = traced.neurons.length, neuron = traced.neurons[n];
    const steps = Array.from({length: data.steps}, (_, step) => step);
    const of = (values) => (values ? steps.map((step) => values[step * width + n]) : []);
    const golden = of(sample.potentials[p].golden), rtl = of(sample.potentials[p].rtl);
    model("trace-golden").data = {step: steps, potential: golden};
    model("trace-rtl").data = {step: rtl.length ? steps : [], potential: rtl};
    const threshold = traced.thresholds ? traced.thresholds[n] : null;
    const ends = threshold === null ? [] : [-0.5, data.steps - 0.5];
    model("trace-threshold").data = {step: ends, potential: ends.map(() => threshold)};
    fit("trace-range", [...golden, ...rtl, ...ends.map(() => threshold)]);
    const r = data.rasters.findIndex((raster) => raster.name === traced.name && !raster.input);
    const counts = r < 0 ? null : steps.map((step) => sample.rasters[r].golden[step * data.rasters[r].size + neuron]);
    const spiking = counts ? steps.filter((step) => counts[step]) : [];
    model("trace-spikes").data = {step: spiking, potential: spiking.map(() => threshold)};
    const body = byId("trace-table").tBodies[0];
    body.replaceChildren(...steps.map((step) => {
      const row = document.createElement("tr");
      const cells = [step, golden[step], rtl.length ? rtl[step] : "–", counts ? counts[step] : "–"];
      cells.forEach((value, column) => {
        const cell = document.createElement(column ? "td" : "th");
        if (!column) cell.scope = "row";
        cell.className = "number";
        cell.textContent = value;
        row.append(cell);
      });
      if (rtl.length && rtl[step] !== golden[step]) row.className = "marked";
      return row;
    }));
    const different = rtl.length ? steps.filter((step) => rtl[step] !== golden[step]).length : null;
    byId("trace-summary").textContent =
      `${traced.name}[${neuron}], sample ${byId("sample").value}: from ${number(Math.min(...golden))} to ` +
      `${number(Math.max(...golden))}` + (threshold === null ? "" : `, threshold ${number(threshold)}`) +
      (counts ? `, ${spiking.length} steps with spikes` : ", never spikes") +
      (different === null ? "; only the golden model was traced." : `; hardware differs in ${different} steps.`);
  }

  function options(select, labels) {
    select.replaceChildren(...labels.map((label) => new Option(label)));
  }

  function showNeurons() {
    const traced = data.potentials[byId("population").selectedIndex];
    if (traced) options(byId("neuron"), traced.neurons.map(String));
    showTrace();
  }

  function choose(p, at) {
    byId("population").selectedIndex = p;
    showNeurons();
    byId("neuron").selectedIndex = at;
    showTrace();
  }

  // The page opens on the first neuron whose spikes differ.
  function showDifference() {
    for (const [p, traced] of data.potentials.entries()) {
      const r = data.rasters.findIndex((raster) => raster.name === traced.name && !raster.input);
      const {golden, rtl} = r < 0 ? {} : sample.rasters[r];
      const cell = rtl ? golden.findIndex((count, n) => count !== rtl[n]) : -1;
      const at = cell < 0 ? -1 : traced.neurons.indexOf(cell % data.rasters[r].size);
      if (at >= 0) return choose(p, at);
    }
  }

  async function showSample() {
    const chosen = byId("sample").selectedIndex;
    byId("previous").disabled = chosen === 0;
    byId("next").disabled = chosen === data.samples.length - 1;
    const next = await unpacked(data.samples[chosen].data);
    if (chosen !== byId("sample").selectedIndex) return; // another was chosen meanwhile
    sample = next;
    showRasters();
    showTrace();
    if (!document.documentElement.dataset.sample) showDifference();
    document.documentElement.dataset.sample = data.samples[chosen].number;
  }

  function move(by) {
    byId("sample").selectedIndex += by;
    showSample();
  }

  // A spike that is chosen in a raster chooses its neuron below, if its potential is in the page.
  function listen() {
    data.rasters.forEach((raster, n) => {
      const p = data.potentials.findIndex((traced) => traced.name === raster.name);
      if (raster.input || p < 0) return;
      for (const kind of ["both", "golden", "rtl"]) {
        const source = model(`raster-${n}-${kind}`);
        source.selected.properties.indices.change.connect(() => {
          const [index] = source.selected.indices;
          if (index === undefined) return;
          const neuron = source.data.neuron[index];
          const at = data.potentials[p].neurons.indexOf(neuron);
          if (at < 0) {
            byId("activity-summary").textContent =
              `The potential of ${raster.name}[${neuron}] is not in this page: choose its trace when it is written.`;
            return;
          }
          choose(p, at);
        });
      }
    });
  }

  function showClocks() {
    const tiles = data.clocks.values[byId("clock-sample").selectedIndex];
    const tile = byId("clock-tile").selectedIndex;
    const single = byId("clock-tile").options.length > 1 && tile > 0;
    const chosen = single ? [tiles[tile - 1]] : tiles;
    const sum = (part) => chosen[0][part].map((_, step) => chosen.reduce((total, values) => total + values[part][step], 0));
    const [integrate, stall, fire, barrier] = [0, 1, 2, 3].map(sum);
    model("clocks").data = {step: integrate.map((_, step) => step), integrate, stall, fire, barrier};
    fit("clocks-range", [0, ...integrate.map((count, step) => count + stall[step] + fire[step] + barrier[step])]);
  }

  function clockChoices() {
    const {tiles, values} = data.clocks;
    options(byId("clock-sample"), values.map((_, n) => String(n)));
    const all = tiles === 1 ? "0" : `all ${tiles} together`;
    const single = values[0].length > 1 ? values[0].map((_, n) => String(n)) : [];
    options(byId("clock-tile"), [all, ...single]);
    showClocks();
  }

  // The style sheet has the colours, for plots too.
  function paint() {
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(`--${name}`).trim();
    for (const root of Bokeh.documents[0].roots()) {
      for (const axis of [...root.left, ...root.below]) {
        axis.major_label_text_color = axis.axis_label_text_color = colour("quiet");
        axis.axis_line_color = axis.major_tick_line_color = colour("line");
      }
      for (const grid of root.center) if ("grid_line_color" in grid) grid.grid_line_color = colour("grid");
      for (const renderer of root.renderers) {
        const role = colour((renderer.name || "").split(":")[1] || "both");
        const {glyph} = renderer;
        for (const property of ["fill_color", "line_color", "text_color"]) {
          if (property in glyph) glyph[property] = {value: role};
        }
      }
    }
  }

  function start() {
    paint();
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", paint);
    options(byId("sample"), data.samples.map((item) => String(item.number)));
    byId("sample").value = data.first;
    options(byId("population"), data.potentials.map((item) => item.name));
    options(byId("neuron"), data.potentials[0].neurons.map(String));
    byId("sample").addEventListener("change", showSample);
    byId("population").addEventListener("change", showNeurons);
    byId("neuron").addEventListener("change", showTrace);
    byId("clock-sample").addEventListener("change", showClocks);
    byId("clock-tile").addEventListener("change", showClocks);
    byId("previous").addEventListener("click", () => move(-1));
    byId("next").addEventListener("click", () => move(1));
    listen();
    clockChoices();
    showSample();
  }

  function ready() {
    if (Bokeh.documents.length) start();
    else setTimeout(ready, 20);
  }
  ready();
})();
