import type { Shape } from "../../ipc/bindings";

/** A mark as it is drawn over the picture. `unit` is how many of the picture's pixels make one of the screen's. */
export function Mark({ mark, unit }: { mark: Shape; unit: number }) {
  switch (mark.shape) {
    case "arrow":
      return <ArrowMark mark={mark} unit={unit} />;
    case "box": {
      const { x, y, width, height } = rect(mark.from, mark.to);
      return (
        <>
          <rect className="mark-halo" x={x} y={y} width={width} height={height} rx={3 * unit} strokeWidth={6 * unit} />
          <rect className="mark-line" x={x} y={y} width={width} height={height} rx={3 * unit} strokeWidth={3 * unit} />
        </>
      );
    }
    case "highlight": {
      const { x, y, width, height } = rect(mark.from, mark.to);
      return <rect className="mark-highlight" x={x} y={y} width={width} height={height} />;
    }
    case "text":
      return (
        <text className="mark-text" x={mark.at.x} y={mark.at.y} fontSize={16 * unit} strokeWidth={3 * unit}>
          {mark.text}
        </text>
      );
  }
}

type Ends = { from: { x: number; y: number }; to: { x: number; y: number } };

function ArrowMark({ mark, unit }: { mark: Ends; unit: number }) {
  const { from, to } = mark;
  const length = Math.hypot(to.x - from.x, to.y - from.y);
  const angle = Math.atan2(to.y - from.y, to.x - from.x);
  const head = Math.min(14 * unit, length / 2);
  const wing = (turn: number) => `${to.x - head * Math.cos(angle + turn)} ${to.y - head * Math.sin(angle + turn)}`;
  const path = `M${from.x} ${from.y}L${to.x} ${to.y}M${wing(0.5)}L${to.x} ${to.y}L${wing(-0.5)}`;
  return (
    <>
      <path className="mark-halo" d={path} strokeWidth={6 * unit} />
      <path className="mark-line" d={path} strokeWidth={3 * unit} />
    </>
  );
}

function rect(from: Ends["from"], to: Ends["to"]) {
  return {
    x: Math.min(from.x, to.x),
    y: Math.min(from.y, to.y),
    width: Math.abs(to.x - from.x),
    height: Math.abs(to.y - from.y),
  };
}
