// The page: asks for a frame, draws it, asks for the next; sends what is pressed.
import { imageOf, paintExperts, paintPicture } from "./paint.js";

const $ = (id) => document.getElementById(id);
const tiles = new Map();
let model = null, paused = false, block = null, only = null, newest = null, before = {}, socket;

function connect() {
  socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/frames`);
  socket.binaryType = "arraybuffer";
  socket.onmessage = ({ data }) => (typeof data === "string" ? words(JSON.parse(data)) : frame(data));
  socket.onclose = (event) => {
    $("status").textContent = event.reason || "The connection is lost; trying again …";
    if (event.code !== 1001) setTimeout(connect, 1500);
  };
  socket.onopen = () => ($("status").textContent = "");
}

const send = (command) => socket.readyState === WebSocket.OPEN && socket.send(JSON.stringify(command));

function words(message) {
  if (message.type === "model") begin(message);
  if (message.type === "state") state(message);
  if (message.type === "end") $("status").textContent = message.text;
}

function begin(message) {
  model = message;
  tiles.clear();
  $("tiles").replaceChildren();
  $("tiles").dataset.tasks = model.tasks.length;
  $("origin").textContent = `${model.model} · ${model.engine} engine · ${model.hardware}`;
  document.title = `${model.model} · edgemoe demo`;
  tile("input", "Picture", `${model.size[1]}×${model.size[0]} pixels`);
  $("tasks").querySelectorAll("label").forEach((label) => label.remove());
  model.tasks.forEach((task, index) => {
    tile(task.name, task.title, "");
    const box = Object.assign(document.createElement("input"), { type: "checkbox", checked: true, value: task.name });
    box.setAttribute("aria-keyshortcuts", String(index + 1));
    box.onchange = chooseTasks;
    const label = document.createElement("label");
    label.append(box, task.title);
    $("tasks").append(label);
  });
  if (model.experts) model.tasks.forEach(expertTile);
  $("block-choice").hidden = !model.blocks.length;
  $("block").replaceChildren(...model.blocks.map((number) => new Option(number, number)));
  block = model.blocks.at(-1);
  $("block").value = block;
}

function tile(name, title, detail) {
  const box = document.createElement("section");
  box.className = "tile";
  const head = document.createElement("div");
  head.className = "head";
  const heading = Object.assign(document.createElement("h2"), { textContent: title });
  const small = Object.assign(document.createElement("span"), { className: "detail", textContent: detail });
  head.append(heading, small);
  const canvas = document.createElement("canvas");
  [canvas.height, canvas.width] = model.size;
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", title);
  const legend = document.createElement("div");
  box.append(head, canvas, legend);
  $("tiles").append(box);
  tiles.set(name, { box, canvas, legend, small });
  return tiles.get(name);
}

function expertTile(task) {
  const made = tile(`experts ${task.name}`, `Experts for ${task.title.toLowerCase()}`, "");
  made.legend.className = "experts";
  for (let expert = 0; expert < model.experts; expert++) {
    const button = Object.assign(document.createElement("button"), { type: "button", textContent: expert });
    button.style.setProperty("--colour", `rgb(${model.expert_colours[expert]})`);
    button.setAttribute("aria-label", `Expert ${expert}`);
    button.setAttribute("aria-pressed", "false");
    button.onmouseenter = () => look(expert);
    button.onmouseleave = () => look(pressed());
    button.onclick = () => {
      const on = button.getAttribute("aria-pressed") !== "true";
      document.querySelectorAll(".experts button").forEach((each) =>
        each.setAttribute("aria-pressed", String(on && each.textContent === button.textContent)));
      look(on ? expert : null);
    };
    made.legend.append(button);
  }
}

function pressed() {
  const button = document.querySelector('.experts button[aria-pressed="true"]');
  return button ? Number(button.textContent) : null;
}

function look(expert) {
  only = expert;
  experts();
}

function frame(data) {
  const size = new DataView(data).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(data, 4, size)));
  let at = 4 + size;
  const pictures = {};
  for (const { name, width, height } of header.pictures) {
    pictures[name] = imageOf(new Uint8Array(data, at, width * height * 3), width, height);
    at += width * height * 3;
  }
  before = newest ? newest.header.experts : {};
  newest = { header, pictures };
  requestAnimationFrame(() => {
    figures(header);
    for (const [name, picture] of Object.entries(pictures)) paintPicture(tiles.get(name).canvas, picture);
    for (const task of model.tasks) answer(task, header.answers[task.name]);
    experts();
    send({ ready: true });
  });
}

function figures(header) {
  const time = header.accelerator_ms;
  $("accelerator").textContent = time === null ? "–" : `${header.counted ? "" : "≈ "}${digits(time)} ms`;
  $("accelerator-label").textContent =
    time === null ? "accelerator" : `accelerator at ${header.clock_mhz} MHz, ${header.counted ? "counted" : "estimated"}`;
  $("host").textContent = `${digits(header.host_ms)} ms`;
  $("rate").textContent = header.paused ? "paused" : header.frames_per_second.toFixed(1);
  $("cycles").textContent = header.cycles ? header.cycles.toLocaleString("en") : "–";
  tiles.get("input").small.textContent = header.source || `${model.size[1]}×${model.size[0]} pixels`;
}

const digits = (value) => (value >= 100 ? value.toFixed(0) : value.toPrecision(3));

function answer(task, said) {
  const { box, legend, canvas, small } = tiles.get(task.name);
  box.hidden = said === undefined;
  if (said === undefined) return;
  if (said.shares) {
    if (legend.tagName !== "UL") return replaceLegend(task, "legend", task.labels.map((label, index) => {
      const item = document.createElement("li");
      const swatch = document.createElement("i");
      swatch.style.background = `rgb(${task.colours[index]})`;
      item.append(swatch, label, document.createElement("b"));
      return item;
    })), answer(task, said);
    said.shares.forEach((share, index) => {
      legend.children[index].lastChild.textContent = share ? `${share < 0.01 ? "<1" : (100 * share).toFixed(0)} %` : "";
    });
  } else if (said.ticks) {
    legend.className = "scale";
    if (!legend.firstChild) scale(legend);
    legend.querySelectorAll("span").forEach((tick) => tick.remove());
    let last = -1;
    for (const [place, label] of said.ticks) {
      const left = Math.min(Math.max(place, 0.04), 0.96);
      if (left - last < 0.11) continue;
      last = left;
      const tick = Object.assign(document.createElement("span"), { textContent: label });
      tick.style.left = `${100 * left}%`;
      legend.append(tick);
    }
  } else if (said.classes) {
    canvas.hidden = true;
    small.textContent = `${task.labels.length} classes`;
    replaceLegend(task, "bars", said.classes.map(([label, probability]) => {
      const item = document.createElement("li");
      const bar = Object.assign(document.createElement("progress"), { max: 1, value: probability });
      item.append(label, Object.assign(document.createElement("b"), { textContent: `${(100 * probability).toFixed(1)} %` }), bar);
      return item;
    }));
  }
}

function replaceLegend(task, className, items) {
  const list = document.createElement("ul");
  list.className = className;
  list.append(...items);
  tiles.get(task.name).legend.replaceWith(list);
  tiles.get(task.name).legend = list;
}

// The colours of depth, taken from a strip that the style of panels has: dark is far, light is near.
function scale(legend) {
  const strip = document.createElement("canvas");
  [strip.width, strip.height] = [model.depth_colours.length, 1];
  strip.getContext("2d").putImageData(imageOf(model.depth_colours.flat(), strip.width, 1), 0, 0);
  strip.setAttribute("aria-hidden", "true");
  legend.append(strip);
}

function experts() {
  if (!newest || !model.experts) return;
  for (const task of model.tasks) {
    const { box, canvas, legend, small } = tiles.get(`experts ${task.name}`);
    const chosen = newest.header.experts[task.name]?.[block];
    box.hidden = chosen === undefined;
    if (chosen === undefined) continue;
    small.textContent = `block ${block}`;
    paintExperts(canvas, tiles.get("input").canvas, chosen, before[task.name]?.[block], model, only);
    const loads = new Array(model.experts).fill(0);
    chosen.flat().forEach((expert) => loads[expert]++);
    const most = Math.max(...loads);
    loads.forEach((load, expert) => {
      legend.children[expert].style.setProperty("--load", (load / most).toFixed(2));
      legend.children[expert].title = `${load} of ${chosen.flat().length} choices`;
    });
  }
}

function state(message) {
  paused = message.paused;
  $("pause").textContent = paused ? "Go on" : "Pause";
  $("step").disabled = !paused;
  if (paused) $("rate").textContent = "paused";
  $("tasks").querySelectorAll("input").forEach((box) => (box.checked = message.tasks.includes(box.value)));
}

function chooseTasks(event) {
  const boxes = [...$("tasks").querySelectorAll("input")];
  if (!boxes.some((box) => box.checked)) event.target.checked = true; // one stays
  send({ tasks: boxes.filter((box) => box.checked).map((box) => box.value) });
}

function changeBlock(by) {
  const at = model.blocks.indexOf(block) + by;
  block = model.blocks[Math.min(Math.max(at, 0), model.blocks.length - 1)];
  $("block").value = block;
  experts();
}

$("pause").onclick = () => send({ pause: !paused });
$("step").onclick = () => send({ step: true });
$("block").onchange = () => { block = Number($("block").value); experts(); };
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || !model) return;
  const onControl = event.target.closest("button, select, input");
  if (event.key === " " && !onControl) { event.preventDefault(); send({ pause: !paused }); }
  if (event.key === "." && paused) send({ step: true });
  if (event.key === "ArrowLeft" && event.target.id !== "block") changeBlock(-1);
  if (event.key === "ArrowRight" && event.target.id !== "block") changeBlock(1);
  const box = /^[1-9]$/.test(event.key) && $("tasks").querySelectorAll("input")[Number(event.key) - 1];
  if (box && !event.target.closest("select")) box.click();
});
// Nobody is shown a moving picture who has asked for none.
if (matchMedia("(prefers-reduced-motion: reduce)").matches) {
  addEventListener("load", () => setTimeout(() => send({ pause: true }), 1000));
}
connect();
