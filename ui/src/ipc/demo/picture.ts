/** A picture of a made-up invoice program, for the demo: nobody's screen. */
import type { Draft, Size } from "../bindings";

export const SIZE: Size = { width: 1600, height: 1000 };

/** The smallest PNG there is, for tests, where nothing can be drawn. */
const DOT = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

function dot(): ArrayBuffer {
  return Uint8Array.from(atob(DOT), (letter) => letter.charCodeAt(0)).buffer;
}

function paint(draw: CanvasRenderingContext2D) {
  const text = (words: string, x: number, y: number, size = 20, colour = "#24221E") => {
    draw.fillStyle = colour;
    draw.font = `${size}px sans-serif`;
    draw.fillText(words, x, y);
  };
  const rect = (x: number, y: number, width: number, height: number, colour: string) => {
    draw.fillStyle = colour;
    draw.fillRect(x, y, width, height);
  };
  rect(0, 0, 1600, 1000, "#5C7A8A");
  rect(60, 40, 1480, 900, "#FFFFFF");
  rect(60, 40, 1480, 52, "#2F4A57");
  text("Invoice entry – Ledger", 84, 74, 22, "#FFFFFF");
  rect(60, 92, 1480, 48, "#EDEFF0");
  ["File", "Edit", "Entry", "Reports", "Help"].forEach((word, at) => text(word, 84 + at * 110, 123, 19));
  text("Supplier", 100, 200, 20, "#59656B");
  rect(100, 214, 560, 46, "#F5F6F7");
  text("Hartmann & Sons", 116, 245);
  text("IBAN", 720, 200, 20, "#59656B");
  rect(720, 214, 560, 46, "#F5F6F7");
  text("DE00 1234 5678 9012 3456 00", 736, 245);
  text("Invoice number", 100, 310, 20, "#59656B");
  rect(100, 324, 560, 46, "#F5F6F7");
  text("2026-1187", 116, 355);
  text("Due", 720, 310, 20, "#59656B");
  rect(720, 324, 260, 46, "#F5F6F7");
  text("30 Nov 2026", 736, 355);
  rect(100, 420, 1380, 44, "#E3E7E9");
  ["Item", "Account", "Tax", "Amount"].forEach((word, at) => text(word, 116 + at * 340, 449, 19, "#3B474D"));
  [
    ["Paper, A4", "6815", "19 %", "248.00"],
    ["Toner", "6815", "19 %", "412.50"],
    ["Freight", "6740", "19 %", "36.00"],
    ["Repair, printer 3", "6470", "19 %", "189.90"],
  ].forEach((row, line) => {
    rect(100, 464 + line * 48, 1380, 48, line % 2 ? "#F8F9F9" : "#FFFFFF");
    row.forEach((word, at) => text(word, 116 + at * 340, 496 + line * 48));
  });
  text("Total 886.40", 1200, 720, 24);
  rect(1180, 820, 150, 56, "#2F7A8C");
  text("Save", 1232, 856, 22, "#FFFFFF");
  rect(1350, 820, 130, 56, "#E3E7E9");
  text("Cancel", 1380, 856, 22);
}

async function png(
  width: number,
  height: number,
  draw: (context: CanvasRenderingContext2D) => void,
): Promise<ArrayBuffer> {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d");
  if (!context) return dot();
  draw(context);
  const blob = await new Promise<Blob | null>((done) => canvas.toBlob(done, "image/png"));
  return blob ? blob.arrayBuffer() : dot();
}

export const taken = () => png(SIZE.width, SIZE.height, paint);

/** As Rust does it: what is hidden is painted over in the pixels, then it is cut. */
export function leaving(draft: Draft): Promise<ArrayBuffer> {
  const crop = draft.crop ?? { x: 0, y: 0, ...SIZE };
  return png(crop.width, crop.height, (context) => {
    context.translate(-crop.x, -crop.y);
    paint(context);
    context.fillStyle = "#1c1c1c";
    for (const area of draft.hidden) context.fillRect(area.x, area.y, area.width, area.height);
  });
}
