/**
 * What is drawn on the picture: the part it is cut to, what is hidden, and marks. Pure: no screen, no React.
 *
 * **Invariant:** everything is in the picture's own pixels, whole numbers, and inside the picture. Undo and redo give back exactly
 * what was there.
 */
import type { Area, Point, Shape, Size } from "../../ipc/bindings";

export type Drawing = { crop: Area | null; hidden: Area[]; marks: Shape[] };

export type DrawTool = "crop" | "arrow" | "box" | "highlight" | "hide";
export type Tool = "select" | DrawTool;
export const TOOLS: readonly Tool[] = ["select", "crop", "arrow", "box", "highlight", "hide"];

/** One thing that is drawn. */
export type Item = { kind: "crop" } | { kind: "hidden"; index: number } | { kind: "mark"; index: number };

/** Its two ends: corners of an area, start and tip of an arrow. */
export type Ends = { from: Point; to: Point };

export const EMPTY: Drawing = { crop: null, hidden: [], marks: [] };

export function clamp(point: Point, size: Size): Point {
  return {
    x: Math.round(Math.min(Math.max(point.x, 0), size.width)),
    y: Math.round(Math.min(Math.max(point.y, 0), size.height)),
  };
}

export function areaOf({ from, to }: Ends): Area {
  return {
    x: Math.min(from.x, to.x),
    y: Math.min(from.y, to.y),
    width: Math.abs(to.x - from.x),
    height: Math.abs(to.y - from.y),
  };
}

/** The same ends, upper left first. */
function upright(ends: Ends): Ends {
  const area = areaOf(ends);
  return { from: { x: area.x, y: area.y }, to: { x: area.x + area.width, y: area.y + area.height } };
}

const endsOfArea = (area: Area): Ends => ({
  from: { x: area.x, y: area.y },
  to: { x: area.x + area.width, y: area.y + area.height },
});

/** All that is drawn, from the bottom to the top. */
export function items(drawing: Drawing): Item[] {
  return [
    ...(drawing.crop ? [{ kind: "crop" } as const] : []),
    ...drawing.hidden.map((_, index) => ({ kind: "hidden", index }) as const),
    ...drawing.marks.map((_, index) => ({ kind: "mark", index }) as const),
  ];
}

export function sameItem(one: Item | null, other: Item | null): boolean {
  if (!one || !other || one.kind !== other.kind) return one === other;
  return one.kind === "crop" || one.index === (other as { index: number }).index;
}

/** Where an item is; none where it isn't drawn any more. */
export function endsOf(drawing: Drawing, item: Item): Ends | null {
  if (item.kind === "crop") return drawing.crop ? endsOfArea(drawing.crop) : null;
  if (item.kind === "hidden") {
    const area = drawing.hidden[item.index];
    return area ? endsOfArea(area) : null;
  }
  const mark = drawing.marks[item.index];
  if (!mark) return null;
  return mark.shape === "text" ? { from: mark.at, to: mark.at } : { from: mark.from, to: mark.to };
}

/** Draws with a tool. A second crop replaces the first. Answers the drawing and what was drawn. */
export function draw(drawing: Drawing, tool: DrawTool, ends: Ends, size: Size): [Drawing, Item] {
  const inside: Ends = { from: clamp(ends.from, size), to: clamp(ends.to, size) };
  if (tool === "crop") return [{ ...drawing, crop: areaOf(inside) }, { kind: "crop" }];
  if (tool === "hide") {
    return [
      { ...drawing, hidden: [...drawing.hidden, areaOf(inside)] },
      { kind: "hidden", index: drawing.hidden.length },
    ];
  }
  const mark: Shape = tool === "arrow" ? { shape: "arrow", ...inside } : { shape: tool, ...upright(inside) };
  return [
    { ...drawing, marks: [...drawing.marks, mark] },
    { kind: "mark", index: drawing.marks.length },
  ];
}

/** Puts an item between other ends. */
export function reshape(drawing: Drawing, item: Item, ends: Ends, size: Size): Drawing {
  const inside: Ends = { from: clamp(ends.from, size), to: clamp(ends.to, size) };
  if (item.kind === "crop") return { ...drawing, crop: areaOf(inside) };
  if (item.kind === "hidden") {
    return { ...drawing, hidden: drawing.hidden.map((area, index) => (index === item.index ? areaOf(inside) : area)) };
  }
  return {
    ...drawing,
    marks: drawing.marks.map((mark, index) => {
      if (index !== item.index) return mark;
      if (mark.shape === "text") return { ...mark, at: inside.from };
      return mark.shape === "arrow" ? { ...mark, ...inside } : { ...mark, ...upright(inside) };
    }),
  };
}

/** Moves an item as a whole; at the picture's edge it stops, and keeps its size. */
export function move(drawing: Drawing, item: Item, dx: number, dy: number, size: Size): Drawing {
  const ends = endsOf(drawing, item);
  if (!ends) return drawing;
  const area = areaOf(ends);
  const x = Math.round(Math.min(Math.max(dx, -area.x), size.width - area.x - area.width));
  const y = Math.round(Math.min(Math.max(dy, -area.y), size.height - area.y - area.height));
  const shift = (point: Point) => ({ x: point.x + x, y: point.y + y });
  return reshape(drawing, item, { from: shift(ends.from), to: shift(ends.to) }, size);
}

export function remove(drawing: Drawing, item: Item): Drawing {
  if (item.kind === "crop") return { ...drawing, crop: null };
  if (item.kind === "hidden") return { ...drawing, hidden: drawing.hidden.filter((_, index) => index !== item.index) };
  return { ...drawing, marks: drawing.marks.filter((_, index) => index !== item.index) };
}

/** A drawing with what was before it and what was undone. */
export type History = { past: Drawing[]; present: Drawing; future: Drawing[] };

/** As many steps back as anybody takes; each is a few hundred bytes. */
const MOST_STEPS = 200;

export const begin = (present: Drawing): History => ({ past: [], present, future: [] });

export function change(history: History, present: Drawing): History {
  if (present === history.present) return history;
  return { past: [...history.past, history.present].slice(-MOST_STEPS), present, future: [] };
}

export function undo(history: History): History {
  const last = history.past.at(-1);
  if (!last) return history;
  return { past: history.past.slice(0, -1), present: last, future: [history.present, ...history.future] };
}

export function redo(history: History): History {
  const [next, ...future] = history.future;
  if (!next) return history;
  return { past: [...history.past, history.present], present: next, future };
}
