import { useRef, useState, type KeyboardEvent, type PointerEvent } from "react";
import { useTranslation } from "react-i18next";

import { number } from "../../i18n";
import type { Point, Size } from "../../ipc/bindings";
import { useAnnounce } from "../parts/Announcer";
import { useSize } from "../parts/useSize";
import { Mark } from "./Mark";
import {
  areaOf,
  clamp,
  draw,
  endsOf,
  items,
  move,
  remove,
  reshape,
  sameItem,
  type Drawing,
  type Ends,
  type Item,
  type Tool,
} from "./marks";

type Props = {
  url: string;
  alt: string;
  size: Size;
  drawing: Drawing;
  tool: Tool;
  selected: Item | null;
  zoomed: boolean;
  onSelect: (item: Item | null) => void;
  /** What was drawn, as one step of undo. */
  onChange: (drawing: Drawing) => void;
};

type Gesture =
  | { what: "draw"; from: Point; to: Point }
  | { what: "move"; item: Item; from: Point; to: Point }
  | { what: "end"; item: Item; fixed: Point; at: Point; startMoves: boolean };

/** Below this a drag was a slip of the hand. In pixels of the screen. */
const LEAST_DRAG = 4;

/** The picture with what is drawn on it: by the pointer, and by the keyboard alone. */
export function Canvas({ url, alt, size, drawing, tool, selected, zoomed, onSelect, onChange }: Props) {
  const { t } = useTranslation();
  const announce = useAnnounce();
  const { ref: frame, width, height } = useSize<HTMLDivElement>();
  const svg = useRef<SVGSVGElement>(null);
  const [gesture, setGesture] = useState<Gesture | null>(null);

  const fit = width > 0 && height > 0 ? Math.min(width / size.width, height / size.height, 1) : 0.4;
  const scale = zoomed ? 1 : fit;
  const unit = 1 / scale;

  const point = (event: PointerEvent): Point => {
    const box = svg.current?.getBoundingClientRect();
    if (!box || box.width === 0) return { x: 0, y: 0 };
    return clamp(
      {
        x: ((event.clientX - box.left) / box.width) * size.width,
        y: ((event.clientY - box.top) / box.height) * size.height,
      },
      size,
    );
  };

  /** The drawing as it would be if the pointer were released now. */
  const shownWith = (gesture: Gesture | null): [Drawing, Item | null] => {
    if (!gesture) return [drawing, selected];
    if (gesture.what === "draw" && tool !== "select") return draw(drawing, tool, gesture, size);
    if (gesture.what === "move") {
      return [
        move(drawing, gesture.item, gesture.to.x - gesture.from.x, gesture.to.y - gesture.from.y, size),
        gesture.item,
      ];
    }
    if (gesture.what === "end") {
      const ends: Ends = gesture.startMoves
        ? { from: gesture.at, to: gesture.fixed }
        : { from: gesture.fixed, to: gesture.at };
      return [reshape(drawing, gesture.item, ends, size), gesture.item];
    }
    return [drawing, selected];
  };
  const [now, active] = shownWith(gesture);
  /** The same gesture with the pointer at another place. */
  const follow = (gesture: Gesture, at: Point): Gesture =>
    gesture.what === "end" ? { ...gesture, at } : { ...gesture, to: at };

  const hold = (event: PointerEvent) => svg.current?.setPointerCapture?.(event.pointerId);

  const onDown = (event: PointerEvent) => {
    if (event.button !== 0) return;
    hold(event);
    const at = point(event);
    if (tool === "select") onSelect(null);
    else setGesture({ what: "draw", from: at, to: at });
  };
  const onItemDown = (item: Item) => (event: PointerEvent) => {
    if (tool !== "select" || event.button !== 0) return;
    event.stopPropagation();
    hold(event);
    onSelect(item);
    const at = point(event);
    setGesture({ what: "move", item, from: at, to: at });
  };
  const onHandleDown = (item: Item, fixed: Point, startMoves: boolean) => (event: PointerEvent) => {
    if (event.button !== 0) return;
    event.stopPropagation();
    hold(event);
    setGesture({ what: "end", item, fixed, at: point(event), startMoves });
  };
  const onMove = (event: PointerEvent) => {
    if (!gesture) return;
    setGesture(follow(gesture, point(event)));
  };
  const onUp = (event: PointerEvent) => {
    if (!gesture) return;
    setGesture(null);
    // The last move may not have been drawn yet.
    const last = follow(gesture, point(event));
    if (last.what === "draw") {
      const area = areaOf(last);
      if (Math.max(area.width, area.height) * scale < LEAST_DRAG) return;
      // An area without height or width can neither be cut to nor hidden.
      if (tool !== "arrow" && (area.width < 1 || area.height < 1)) return;
    }
    const [next, item] = shownWith(last);
    onChange(next);
    onSelect(item);
    if (last.what === "draw" && item) tell(next, item);
  };

  const tell = (next: Drawing, item: Item) => {
    const ends = endsOf(next, item);
    if (!ends) return;
    const area = areaOf(ends);
    announce(
      t("feedback.canvas.where", {
        what: nameOf(next, item),
        x: number(area.x),
        y: number(area.y),
        width: number(area.width),
        height: number(area.height),
      }),
    );
  };
  const nameOf = (next: Drawing, item: Item) => {
    if (item.kind === "crop") return t("feedback.canvas.crop");
    if (item.kind === "hidden") return t("feedback.canvas.hidden");
    const shape = next.marks[item.index]?.shape ?? "box";
    return t(`feedback.canvas.${shape}`);
  };

  const onKey = (event: KeyboardEvent) => {
    if (event.altKey) return;
    const step = Math.max(1, Math.round((event.ctrlKey ? 1 : 16) * unit));
    const by: Record<string, [number, number]> = {
      ArrowLeft: [-step, 0],
      ArrowRight: [step, 0],
      ArrowUp: [0, -step],
      ArrowDown: [0, step],
    };
    const direction = by[event.key];
    if (direction && selected) {
      event.preventDefault();
      const [dx, dy] = direction;
      const ends = endsOf(drawing, selected);
      if (!ends) return;
      const next = event.shiftKey
        ? reshape(
            drawing,
            selected,
            {
              from: ends.from,
              to: {
                x: Math.max(ends.to.x + dx, keeps(ends.from.x, selected)),
                y: Math.max(ends.to.y + dy, keeps(ends.from.y, selected)),
              },
            },
            size,
          )
        : move(drawing, selected, dx, dy, size);
      onChange(next);
      tell(next, selected);
    } else if (event.key === "Enter" || event.key === " ") {
      if (event.ctrlKey) return;
      event.preventDefault();
      if (tool === "select") {
        const all = items(drawing);
        if (all.length === 0) {
          announce(t("feedback.canvas.nothing"));
          return;
        }
        const at = all.findIndex((item) => sameItem(item, selected));
        const next =
          all[(at + (event.shiftKey ? all.length - 1 : 1) + (at < 0 && event.shiftKey ? 1 : 0)) % all.length] ?? null;
        onSelect(next);
        if (next) tell(drawing, next);
      } else {
        const middle = { x: size.width / 2, y: size.height / 2 };
        const [next, item] = draw(
          drawing,
          tool,
          {
            from: { x: middle.x - size.width / 8, y: middle.y - size.height / 8 },
            to: { x: middle.x + size.width / 8, y: middle.y + size.height / 8 },
          },
          size,
        );
        onChange(next);
        onSelect(item);
        tell(next, item);
      }
    } else if ((event.key === "Delete" || event.key === "Backspace") && selected) {
      event.preventDefault();
      const what = nameOf(drawing, selected);
      onChange(remove(drawing, selected));
      onSelect(null);
      announce(t("feedback.canvas.removed", { what }));
    } else if (event.key === "Escape" && (gesture || selected)) {
      event.preventDefault();
      setGesture(null);
      onSelect(null);
    }
  };

  /** Areas keep at least a pixel; an arrow may turn round. */
  const keeps = (start: number, item: Item) =>
    item.kind === "mark" && drawing.marks[item.index]?.shape === "arrow" ? -1 : start + 1;

  const ends = active ? endsOf(now, active) : null;
  const isArrow = active?.kind === "mark" && now.marks[active.index]?.shape === "arrow";
  const isText = active?.kind === "mark" && now.marks[active.index]?.shape === "text";
  const corners: { at: Point; fixed: Point; arrowStart: boolean }[] =
    !ends || isText
      ? []
      : isArrow
        ? [
            { at: ends.from, fixed: ends.to, arrowStart: true },
            { at: ends.to, fixed: ends.from, arrowStart: false },
          ]
        : [
            { at: ends.from, fixed: ends.to, arrowStart: false },
            { at: { x: ends.to.x, y: ends.from.y }, fixed: { x: ends.from.x, y: ends.to.y }, arrowStart: false },
            { at: ends.to, fixed: ends.from, arrowStart: false },
            { at: { x: ends.from.x, y: ends.to.y }, fixed: { x: ends.to.x, y: ends.from.y }, arrowStart: false },
          ];

  const grip = (item: Item) => ({
    onPointerDown: onItemDown(item),
    "data-kind": item.kind,
    "data-active": sameItem(item, active) || undefined,
  });

  return (
    <div className="canvas-frame" ref={frame} data-zoomed={zoomed || undefined}>
      {/* An application of its own: arrow keys, Enter and Delete mean something else in it, and its help says so. */}
      <svg
        ref={svg}
        className="canvas"
        data-tool={tool}
        viewBox={`0 0 ${size.width} ${size.height}`}
        width={size.width * scale}
        height={size.height * scale}
        role="application"
        aria-label={alt}
        aria-roledescription={t("feedback.canvas.kind")}
        aria-describedby="canvas-help"

        tabIndex={0}
        onPointerDown={onDown}
        onPointerMove={onMove}
        onPointerUp={onUp}
        onPointerCancel={() => setGesture(null)}
        onKeyDown={onKey}
      >
        <image href={url} width={size.width} height={size.height} preserveAspectRatio="none" />
        {now.marks.map((mark, index) => (
          <g key={index} className="item" {...grip({ kind: "mark", index })}>
            <Mark mark={mark} unit={unit} />
          </g>
        ))}
        {now.hidden.map((area, index) => (
          <g key={index} className="item" {...grip({ kind: "hidden", index })}>
            <rect className="hidden-area" x={area.x} y={area.y} width={area.width} height={area.height} />
          </g>
        ))}
        {now.crop && (
          <g {...grip({ kind: "crop" })} className="item crop">
            <path
              className="crop-shade"
              fillRule="evenodd"
              pointerEvents="none"
              d={`M0 0H${size.width}V${size.height}H0ZM${now.crop.x} ${now.crop.y}h${now.crop.width}v${now.crop.height}h${-now.crop.width}Z`}
            />
            <rect
              className="crop-line"
              x={now.crop.x}
              y={now.crop.y}
              width={now.crop.width}
              height={now.crop.height}
              strokeWidth={2 * unit}
              fill="none"
              pointerEvents="stroke"
            />
          </g>
        )}
        {ends && (
          <g className="selection">
            {!isArrow && (
              <rect
                {...areaOf(ends)}
                strokeWidth={1.5 * unit}
                strokeDasharray={`${4 * unit} ${3 * unit}`}
                pointerEvents="none"
              />
            )}
            {!gesture &&
              active &&
              corners.map(({ at, fixed, arrowStart }, index) => (
                <circle
                  key={index}
                  className="handle"
                  cx={at.x}
                  cy={at.y}
                  r={6 * unit}
                  strokeWidth={1.5 * unit}
                  onPointerDown={onHandleDown(active, fixed, arrowStart)}
                />
              ))}
          </g>
        )}
      </svg>
    </div>
  );
}
