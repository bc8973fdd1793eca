import type { Sentence } from "../../ipc/bindings";

/** Sentences without those that are there already, so that a window says nothing twice. */
export function once(...sentences: (Sentence | null | undefined)[]): Sentence[] {
  const said: Sentence[] = [];
  for (const one of sentences) if (one && !says(said, one)) said.push(one);
  return said;
}

/** Whether a sentence is among these. */
export function says(said: Sentence[], sentence: Sentence): boolean {
  return said.some((one) => mark(one) === mark(sentence));
}

function mark({ key, values }: Sentence): string {
  return JSON.stringify([key, Object.entries(values).sort()]);
}
