/** A day as a band: where stretches and knots stand, in parts of a hundred. Pure. */
import type { AppSpan, Day } from "../../ipc/bindings";

const HOUR_MS = 3_600_000;

export type Stretch = { app: string; left: number; width: number; from: string; to: string; shade: number };
export type Band = { from: number; to: number; hours: { at: number; left: number }[]; stretches: Stretch[] };

/** How many shades tell programs apart; more share them again. */
export const SHADES = 6;

/** From the full hour before the first thing to the one after the last, three hours at least. */
export function bandOf(day: Day): Band {
  const times = [
    ...day.spans.flatMap((span) => [Date.parse(span.from), Date.parse(span.to)]),
    ...day.incidents.map((incident) => Date.parse(incident.at)),
  ];
  const begins = Date.parse(day.begins);
  const hour = (at: number) => begins + Math.floor((at - begins) / HOUR_MS) * HOUR_MS;
  const first = times.length > 0 ? hour(Math.min(...times)) : begins + 8 * HOUR_MS;
  const last = times.length > 0 ? hour(Math.max(...times)) + HOUR_MS : begins + 18 * HOUR_MS;
  const from = first;
  const to = Math.max(last, first + 3 * HOUR_MS);
  const left = (at: number) => ((at - from) / (to - from)) * 100;
  const step = to - from > 12 * HOUR_MS ? 2 : 1;
  const hours = [];
  for (let at = from; at <= to; at += step * HOUR_MS) hours.push({ at, left: left(at) });
  return { from, to, hours, stretches: stretches(day.spans, left) };
}

export function leftOf(band: Band, at: string): number {
  return Math.min(100, Math.max(0, ((Date.parse(at) - band.from) / (band.to - band.from)) * 100));
}

function stretches(spans: AppSpan[], left: (at: number) => number): Stretch[] {
  const shades = shadesOf(spans);
  return spans.map((span) => {
    const start = left(Date.parse(span.from));
    return {
      app: span.app,
      left: start,
      width: Math.max(left(Date.parse(span.to)) - start, 0.15),
      from: span.from,
      to: span.to,
      shade: shades.get(span.app) ?? 0,
    };
  });
}

/** The programs that were open longest get shades of their own. */
export function shadesOf(spans: AppSpan[]): Map<string, number> {
  const time = new Map<string, number>();
  for (const span of spans) time.set(span.app, (time.get(span.app) ?? 0) + Date.parse(span.to) - Date.parse(span.from));
  return new Map([...time].sort((one, other) => other[1] - one[1]).map(([app], index) => [app, index % SHADES]));
}
