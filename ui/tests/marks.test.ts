import { describe, expect, it } from "vitest";

import * as marks from "../src/desktop/feedback/marks";

const size = { width: 1000, height: 500 };
const ends = (x1: number, y1: number, x2: number, y2: number) => ({ from: { x: x1, y: y1 }, to: { x: x2, y: y2 } });

describe("drawing", () => {
  it("turns a drag from any corner into an upright area", () => {
    const [drawing, item] = marks.draw(marks.EMPTY, "hide", ends(300, 200, 100, 50), size);
    expect(drawing.hidden).toEqual([{ x: 100, y: 50, width: 200, height: 150 }]);
    expect(item).toEqual({ kind: "hidden", index: 0 });
  });

  it("keeps an arrow's direction", () => {
    const [drawing] = marks.draw(marks.EMPTY, "arrow", ends(300, 200, 100, 50), size);
    expect(drawing.marks).toEqual([{ shape: "arrow", from: { x: 300, y: 200 }, to: { x: 100, y: 50 } }]);
  });

  it("stays inside the picture, in whole pixels", () => {
    const [drawing] = marks.draw(marks.EMPTY, "hide", ends(-20, 10.6, 4000.2, 900), size);
    expect(drawing.hidden).toEqual([{ x: 0, y: 11, width: 1000, height: 489 }]);
  });

  it("has one crop at a time", () => {
    const [once] = marks.draw(marks.EMPTY, "crop", ends(0, 0, 100, 100), size);
    const [twice] = marks.draw(once, "crop", ends(10, 10, 60, 60), size);
    expect(twice.crop).toEqual({ x: 10, y: 10, width: 50, height: 50 });
    expect(marks.items(twice)).toHaveLength(1);
  });
});

describe("moving", () => {
  it("stops at the edge and keeps the size", () => {
    const [drawing, item] = marks.draw(marks.EMPTY, "box", ends(10, 10, 110, 60), size);
    const moved = marks.move(drawing, item, -500, 5000, size);
    expect(moved.marks).toEqual([{ shape: "box", from: { x: 0, y: 450 }, to: { x: 100, y: 500 } }]);
  });

  it("removes what it is told to and nothing else", () => {
    let [drawing] = marks.draw(marks.EMPTY, "hide", ends(0, 0, 10, 10), size);
    [drawing] = marks.draw(drawing, "hide", ends(20, 20, 30, 30), size);
    [drawing] = marks.draw(drawing, "highlight", ends(0, 0, 50, 50), size);
    const left = marks.remove(drawing, { kind: "hidden", index: 0 });
    expect(left.hidden).toEqual([{ x: 20, y: 20, width: 10, height: 10 }]);
    expect(left.marks).toHaveLength(1);
  });
});

it("undo and redo give back exactly what was there, over any run of changes", () => {
  let history = marks.begin(marks.EMPTY);
  const seen = [history.present];
  const tools = ["hide", "box", "arrow", "crop", "highlight"] as const;
  for (let step = 0; step < 40; step += 1) {
    const tool = tools[step % tools.length] ?? "box";
    const [next] = marks.draw(history.present, tool, ends(step, step, step * 7 + 9, step * 3 + 9), size);
    history = marks.change(history, step % 6 === 5 ? marks.remove(next, { kind: "hidden", index: 0 }) : next);
    seen.push(history.present);
  }
  for (let step = 39; step >= 0; step -= 1) {
    history = marks.undo(history);
    expect(history.present).toBe(seen[step]);
  }
  expect(marks.undo(history)).toBe(history);
  for (let step = 1; step <= 40; step += 1) {
    history = marks.redo(history);
    expect(history.present).toBe(seen[step]);
  }
  const before = marks.undo(marks.undo(history));
  expect(marks.change(before, marks.EMPTY).future).toEqual([]);
});
