// Drawing of one frame: pictures as they come, and the experts of every patch over the darkened picture.

const PATCH = 40; // pixels of a patch on the canvas of experts

export function paintPicture(canvas, picture) {
  canvas.width = picture.width;
  canvas.height = picture.height;
  canvas.getContext("2d").putImageData(picture, 0, 0);
}

// RGB bytes to what a canvas takes.
export function imageOf(bytes, width, height) {
  const pixels = new Uint8ClampedArray(width * height * 4);
  for (let from = 0, to = 0; from < bytes.length; from += 3, to += 4) {
    pixels[to] = bytes[from];
    pixels[to + 1] = bytes[from + 1];
    pixels[to + 2] = bytes[from + 2];
    pixels[to + 3] = 255;
  }
  return new ImageData(pixels, width, height);
}

// chosen: [choice][patch] → expert. only: the one expert to show, or null. before: the experts of the frame before.
export function paintExperts(canvas, picture, chosen, before, model, only) {
  const [rows, columns] = model.grid;
  canvas.width = columns * PATCH;
  canvas.height = rows * PATCH;
  const context = canvas.getContext("2d");
  context.filter = "grayscale(1) brightness(0.75)";
  context.drawImage(picture, 0, 0, canvas.width, canvas.height);
  context.filter = "none";
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.font = `${PATCH * 0.34}px system-ui, sans-serif`;
  for (let patch = 0; patch < rows * columns; patch++) {
    const x = (patch % columns) * PATCH, y = Math.floor(patch / columns) * PATCH;
    const experts = chosen.map((choice) => choice[patch]);
    const shown = only === null ? 0 : experts.indexOf(only);
    if (shown < 0) continue;
    // A patch that has just changed its expert lights up.
    const fresh = before !== undefined && before[0][patch] !== chosen[0][patch];
    const [red, green, blue] = model.expert_colours[experts[shown]];
    context.fillStyle = `rgb(${red} ${green} ${blue} / ${shown > 0 ? 0.4 : fresh ? 0.95 : 0.68})`;
    context.fillRect(x + 1, y + 1, PATCH - 2, PATCH - 2);
    if (only === null && experts.length > 1) corner(context, x, y, model.expert_colours[experts[1]]);
    context.fillStyle = 0.3 * red + 0.6 * green + 0.1 * blue > 128 ? "#0c0e12" : "#f5f6fa";
    context.fillText(experts[shown], x + PATCH / 2, y + PATCH / 2);
  }
}

function corner(context, x, y, [red, green, blue]) {
  context.fillStyle = `rgb(${red} ${green} ${blue})`;
  context.beginPath();
  context.moveTo(x + PATCH - 1, y + PATCH * 0.66);
  context.lineTo(x + PATCH - 1, y + PATCH - 1);
  context.lineTo(x + PATCH * 0.66, y + PATCH - 1);
  context.fill();
}
