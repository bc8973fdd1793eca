import { fireEvent, screen, waitFor, within } from "@testing-library/react";
import { describe, expect, it, vi } from "vitest";

import type { Draft } from "../src/ipc/bindings";
import { open, violations } from "./window";

const last = <T,>(list: T[]): T => {
  const value = list.at(-1);
  if (value === undefined) throw new Error("nothing was called");
  return value;
};
const drafts = (calls: Record<string, unknown>[]) => calls.map((args) => args.draft as Draft);

/** jsdom lays nothing out: the canvas is given a place, half as large as the picture. */
function place(canvas: Element) {
  vi.spyOn(canvas, "getBoundingClientRect").mockReturnValue({
    left: 100,
    top: 50,
    width: 800,
    height: 500,
    right: 900,
    bottom: 550,
    x: 100,
    y: 50,
    toJSON: () => ({}),
  });
}
function drag(canvas: Element, from: [number, number], to: [number, number]) {
  const at = ([clientX, clientY]: [number, number]) => ({ clientX, clientY, button: 0, pointerId: 1 });
  fireEvent.pointerDown(canvas, at(from));
  // Where it is released counts: the last move may come too late to be drawn.
  fireEvent.pointerMove(canvas, at([(from[0] + to[0]) / 2, (from[1] + to[1]) / 2]));
  fireEvent.pointerUp(canvas, at(to));
}

describe("the form", () => {
  it("opens with the text focused and says why in its first line", async () => {
    await open("feedback");
    expect(screen.getByLabelText("In your words")).toHaveProperty(
      "ownerDocument.activeElement",
      screen.getByLabelText("In your words"),
    );
    expect(screen.getByRole("heading", { level: 1 }).textContent).toMatch(
      /^“Save” in Ledger didn't react 4 times at 10:42( AM)?\.$/,
    );
  });

  it("sends what was written with Ctrl+Enter and closes", async () => {
    const { user, calls, demo } = await open("feedback");
    await user.keyboard("Save does nothing");
    await user.keyboard("{Control>}{Enter}{/Control}");
    await waitFor(() => expect(demo.closed()).toBe(true));
    const sent = last(drafts(calls("feedback_send")));
    expect(sent.description).toBe("Save does nothing");
    expect(sent.category).toBe("bug");
    expect(sent.steps).toEqual([]);
    expect(calls("feedback_send")).toHaveLength(1);
  });

  it("keeps each change on disk within half a second, and doesn't write after it was sent", async () => {
    const { user, calls, demo } = await open("feedback");
    await user.keyboard("a");
    await waitFor(() => expect(last(drafts(calls("feedback_save_draft"))).description).toBe("a"), { timeout: 1000 });
    await user.keyboard("b{Control>}{Enter}{/Control}");
    await waitFor(() => expect(demo.closed()).toBe(true));
    await new Promise((done) => setTimeout(done, 450));
    const order = demo.calls.map((call) => call.command);
    expect(order.lastIndexOf("feedback_save_draft")).toBeLessThan(order.indexOf("feedback_send"));
  });

  it("lets Rust know of the first letter at once, so that no program's words take its place", async () => {
    const { user, calls } = await open("feedback");
    await user.keyboard("a");
    expect(drafts(calls("feedback_save_draft")).map((draft) => draft.description)).toEqual(["a"]);
  });

  it("keeps what is written without a pause", async () => {
    const { user, calls } = await open("feedback");
    const typed = "no pause ".repeat(6);
    const begin = Date.now();
    for (const letter of typed) {
      await user.keyboard(letter);
      await new Promise((done) => setTimeout(done, 20));
    }
    expect(Date.now() - begin).toBeGreaterThan(1000);
    // Once in the middle at least, and not with each letter.
    const drafted = drafts(calls("feedback_save_draft"));
    expect(drafted.length).toBeGreaterThan(0);
    expect(drafted.length).toBeLessThan(typed.length / 2);
    await waitFor(() => expect(last(drafts(calls("feedback_save_draft"))).description).toBe(typed));
  });

  it("keeps the draft when it is closed from outside, and closes then", async () => {
    const { user, calls, demo } = await open("feedback");
    await user.keyboard("half a thought");
    demo.emit("leave", null);
    await waitFor(() => expect(demo.closed()).toBe(true));
    expect(last(drafts(calls("feedback_save_draft"))).description).toBe("half a thought");
  });

  it("closes with Esc and keeps the draft first", async () => {
    const { user, calls, demo } = await open("feedback");
    await user.keyboard("half a thought{Escape}");
    await waitFor(() => expect(demo.closed()).toBe(true));
    expect(last(drafts(calls("feedback_save_draft"))).description).toBe("half a thought");
    expect(calls("feedback_send")).toEqual([]);
  });

  it("chooses by Alt and a number while writing, and writes plain numbers", async () => {
    const { user } = await open("feedback");
    await user.keyboard("{Alt>}[Digit2]{/Alt}");
    expect(screen.getByRole("radio", { name: "Idea" })).toHaveProperty("checked", true);
    await user.keyboard("3");
    expect(screen.getByRole("radio", { name: "Idea" })).toHaveProperty("checked", true);
    expect(screen.getByLabelText("In your words")).toHaveProperty("value", "3");
  });

  it("chooses by a number where the text hasn't the focus", async () => {
    const { user } = await open("feedback");
    screen.getByRole("button", { name: "Send" }).focus();
    await user.keyboard("[Digit3]");
    expect(screen.getByRole("radio", { name: "Question" })).toHaveProperty("checked", true);
  });

  it("asks for what is missing and sends nothing", async () => {
    const { user, calls } = await open("feedback", "own-words");
    await user.click(screen.getByRole("button", { name: "Send" }));
    expect(screen.getByText("Write at least one word.")).toBeTruthy();
    await user.keyboard("words");
    await user.click(screen.getByRole("button", { name: "Send" }));
    expect(screen.getByRole("alert").textContent).toBe("Choose what it is about.");
    expect(calls("feedback_send")).toEqual([]);
  });

  it("stays open and says why where it can't be sent", async () => {
    const { user, demo } = await open("feedback", "ordinary", "en", (one) =>
      one.fail("feedback_send", { key: "problem.disk_full", values: {} }),
    );
    await user.keyboard("words{Control>}{Enter}{/Control}");
    expect((await screen.findByText(/disk is full/)).closest("[role=alert]")).toBeTruthy();
    expect(demo.closed()).toBe(false);
    expect(screen.getByLabelText("In your words")).toHaveProperty("value", "words");
  });

  it("takes a new occasion without losing what was written", async () => {
    const { user, demo } = await open("feedback", "own-words");
    await user.keyboard("my words");
    demo.form.occasion = {
      incident: "error_loop",
      sentence: { key: "occasion.error_loop", values: { app: "Calc", count: "3", time: "2026-11-20T10:00:00Z" } },
    };
    demo.emit("feedback-form", null);
    expect(await screen.findByText(/Calc showed the same error 3 times/)).toBeTruthy();
    expect(screen.getByLabelText("In your words")).toHaveProperty("value", "my words");
  });

  it("takes a rating, and takes it back", async () => {
    const { user, calls } = await open("feedback");
    await user.click(screen.getByRole("radio", { name: "Good" }));
    await waitFor(() => expect(last(drafts(calls("feedback_save_draft"))).rating).toBe(4));
    await user.click(screen.getByRole("radio", { name: "Good" }));
    await waitFor(() => expect(last(drafts(calls("feedback_save_draft"))).rating).toBe(null));
  });

  it("takes tags one by one, and the last one with Ctrl+Enter", async () => {
    const { user, calls, demo } = await open("feedback");
    await user.keyboard("words");
    await user.click(screen.getByRole("textbox", { name: "Tags" }));
    await user.keyboard("invoice{Enter}invoice{Enter}save, slow");
    await user.click(screen.getByRole("button", { name: "Remove save" }));
    await user.keyboard("late{Control>}{Enter}{/Control}");
    await waitFor(() => expect(demo.closed()).toBe(true));
    expect(last(drafts(calls("feedback_send"))).tags).toEqual(["invoice", "slow", "late"]);
  });

  it("closes with Esc where there is no form", async () => {
    const { user, demo } = await open("feedback", "ordinary", "en", (one) =>
      one.fail("feedback_form", { key: "problem.no_draft", values: {} }),
    );
    await screen.findByText(/nothing to send/);
    await user.keyboard("{Escape}");
    await waitFor(() => expect(demo.closed()).toBe(true));
  });

  const discard = () => screen.getByRole("button", { name: "Discard" });
  const answer = async (name: string) => within(await screen.findByRole("dialog")).findByRole("button", { name });

  it("asks before words are thrown away, with the focus on keeping them", async () => {
    const { user, calls, demo } = await open("feedback");
    await user.keyboard("no");
    await user.click(discard());
    const keep = await answer("Keep it");
    await waitFor(() => expect(document.activeElement).toBe(keep));
    await user.keyboard("{Enter}");
    await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
    expect(screen.getByLabelText("In your words")).toHaveProperty("value", "no");
    await user.click(discard());
    await answer("Keep it");
    await user.keyboard("{Escape}");
    await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
    expect(calls("feedback_discard")).toEqual([]);
    expect(demo.closed()).toBe(false);
    await user.click(discard());
    await user.click(await answer("Discard"));
    await waitFor(() => expect(demo.closed()).toBe(true));
    expect(calls("feedback_discard")).toHaveLength(1);
  });

  it.each([
    ["tags", { tags: ["invoice"] }],
    ["a hidden area", { hidden: [{ x: 1, y: 1, width: 9, height: 9 }] }],
    ["a crop", { crop: { x: 1, y: 1, width: 90, height: 90 } }],
    ["a mark", { marks: [{ kind: "box", x: 1, y: 1, width: 9, height: 9, text: "" }] }],
  ] as [string, Partial<Draft>][])("asks before %s is thrown away", async (_, lost) => {
    const { user, calls, demo } = await open("feedback", "ordinary", "en", ({ form }) => {
      Object.assign(form.draft, lost);
    });
    await user.click(discard());
    await answer("Discard");
    expect(await violations()).toEqual([]);
    expect(calls("feedback_discard")).toEqual([]);
    expect(demo.closed()).toBe(false);
  });

  it("asks nothing where nothing was written", async () => {
    const { user, calls, demo } = await open("feedback", "own-words");
    await user.click(discard());
    await waitFor(() => expect(demo.closed()).toBe(true));
    expect(screen.queryByRole("dialog")).toBeNull();
    expect(calls("feedback_discard")).toHaveLength(1);
  });
});

describe("the steps", () => {
  it("go along only when chosen, and each can be left out", async () => {
    const { user, calls } = await open("feedback");
    await user.click(screen.getByRole("checkbox", { name: "Attach the last minute (7 steps)" }));
    await user.click(screen.getByRole("checkbox", { name: /Error$/ }));
    await waitFor(() => expect(last(drafts(calls("feedback_save_draft"))).steps).toHaveLength(6));
    const texts = last(drafts(calls("feedback_save_draft"))).steps.map((step) => step.text);
    expect(texts).not.toContain("Error");
    expect(texts[0]).toBe("Screen “Booking”");
    expect(screen.getByRole("checkbox", { name: "6 of 7 steps attached" })).toBeTruthy();
  });
});

describe("what will be sent", () => {
  it("is shown to the letter, with the picture, and closes with Esc without closing the window", async () => {
    const { user, demo } = await open("feedback");
    await user.keyboard("exactly this");
    await user.click(screen.getByRole("button", { name: "See exactly what will be sent" }));
    const dialog = await screen.findByRole("dialog");
    expect(await within(dialog).findByText(/"description": "exactly this"/)).toBeTruthy();
    expect(await within(dialog).findByRole("img", { name: /picture as it leaves/ })).toBeTruthy();
    expect(within(dialog).getByText(/snag\.nordhafen\.example/)).toBeTruthy();
    await user.keyboard("{Escape}");
    await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
    expect(demo.closed()).toBe(false);
  });
});

describe("the picture", () => {
  it("is hidden in the picture's own pixels, whatever its size on the screen", async () => {
    const { user, calls } = await open("feedback");
    const canvas = await screen.findByRole("application");
    place(canvas);
    await user.click(screen.getByRole("button", { name: "Hide" }));
    drag(canvas, [200, 100], [300, 150]);
    await waitFor(() =>
      expect(last(drafts(calls("feedback_save_draft"))).hidden).toEqual([{ x: 200, y: 100, width: 200, height: 100 }]),
    );
  });

  it("draws each tool, and undoes and redoes all of it", async () => {
    const { user, calls } = await open("feedback");
    const canvas = await screen.findByRole("application");
    place(canvas);
    for (const tool of ["Crop", "Arrow", "Box", "Highlight", "Hide"]) {
      await user.click(screen.getByRole("button", { name: tool }));
      drag(canvas, [150, 100], [350, 200]);
    }
    await waitFor(() => expect(last(drafts(calls("feedback_save_draft"))).hidden).toHaveLength(1));
    const draft = last(drafts(calls("feedback_save_draft")));
    expect(draft.crop).toEqual({ x: 100, y: 100, width: 400, height: 200 });
    expect(draft.marks.map((mark) => mark.shape)).toEqual(["arrow", "box", "highlight"]);
    for (let times = 0; times < 5; times += 1) await user.click(screen.getByRole("button", { name: "Undo" }));
    await waitFor(() =>
      expect(last(drafts(calls("feedback_save_draft")))).toMatchObject({ crop: null, hidden: [], marks: [] }),
    );
    for (let times = 0; times < 5; times += 1) await user.click(screen.getByRole("button", { name: "Redo" }));
    await waitFor(() =>
      expect(last(drafts(calls("feedback_save_draft")))).toMatchObject({
        crop: draft.crop,
        hidden: draft.hidden,
        marks: draft.marks,
      }),
    );
  });

  it("is not marked by a slip of the hand", async () => {
    const { calls } = await open("feedback");
    const canvas = await screen.findByRole("application");
    place(canvas);
    drag(canvas, [200, 100], [201, 101]);
    await new Promise((done) => setTimeout(done, 400));
    expect(calls("feedback_save_draft")).toEqual([]);
  });

  it("can be hidden, moved, sized and uncovered by the keyboard alone", async () => {
    const { user, calls } = await open("feedback");
    const canvas = await screen.findByRole("application");
    canvas.focus();
    await user.keyboard("x{Enter}");
    await waitFor(() =>
      expect(last(drafts(calls("feedback_save_draft"))).hidden).toEqual([{ x: 600, y: 375, width: 400, height: 250 }]),
    );
    await user.keyboard("{ArrowLeft}{Shift>}{ArrowDown}{/Shift}");
    await waitFor(() => {
      const [area] = last(drafts(calls("feedback_save_draft"))).hidden;
      expect(area?.x).toBeLessThan(600);
      expect(area?.height).toBeGreaterThan(250);
    });
    expect(screen.getAllByRole("status").some((one) => one.textContent?.startsWith("Hidden area:"))).toBe(true);
    await user.keyboard("{Delete}");
    await waitFor(() => expect(last(drafts(calls("feedback_save_draft"))).hidden).toEqual([]));
    await user.keyboard("{Control>}z{/Control}");
    await waitFor(() => expect(last(drafts(calls("feedback_save_draft"))).hidden).toHaveLength(1));
  });

  it("loses its marks when another is taken", async () => {
    const { user, calls } = await open("feedback");
    const canvas = await screen.findByRole("application");
    canvas.focus();
    await user.keyboard("x{Enter}");
    await user.hover(screen.getByRole("combobox", { name: "What the picture shows" }));
    await user.selectOptions(
      screen.getByRole("combobox", { name: "What the picture shows" }),
      await screen.findByRole("option", { name: "Screen: DP-1" }),
    );
    await waitFor(() => expect(calls("feedback_retake")).toEqual([{ source: "screen:0" }]));
    await waitFor(() => expect(last(drafts(calls("feedback_save_draft"))).hidden).toEqual([]));
  });

  it.each([
    ["screen", 1, ["Whole screen"]],
    ["", 2, ["Screen 1", "Screen 2"]],
    ["HDMI-1", 1, ["Screen: HDMI-1"]],
  ])("names screens that are called '%s' and are %i", async (name, count, labels) => {
    const sources = Array.from({ length: count }, (_, index) => ({
      id: `screen:${index}`,
      name,
      is_screen: true,
      size: { width: 1920, height: 1080 },
    }));
    const { user } = await open("feedback", "ordinary", "en", ({ answer, form }) => {
      answer("feedback_sources", () => sources);
      if (form.picture) form.picture.source = { ...form.picture.source, ...sources[0] };
    });
    await user.hover(screen.getByRole("combobox", { name: "What the picture shows" }));
    await waitFor(() =>
      expect(screen.getAllByRole("option").map((one) => one.textContent)).toEqual(expect.arrayContaining(labels)),
    );
    expect(screen.queryByText(/Screen: (screen)?$/)).toBeNull();
  });

  it("says once that the disk is full", async () => {
    const full = { key: "problem.disk_full", values: {} };
    const { user, demo } = await open("feedback");
    const refuse = () => {
      throw full;
    };
    demo.answer("feedback_save_draft", refuse);
    demo.answer("feedback_send", refuse);
    await user.type(screen.getByRole("textbox", { name: "In your words" }), "It is slow.");
    await screen.findByText(/disk is full/);
    await user.click(screen.getByRole("button", { name: "Send" }));
    await waitFor(() => expect(screen.getByRole("button", { name: "Send" }).getAttribute("aria-busy")).toBeNull());
    expect(screen.getAllByText(/disk is full/)).toHaveLength(1);
  });

  it("can stay behind", async () => {
    const { user, calls } = await open("feedback");
    await user.click(screen.getByRole("checkbox", { name: "Send the picture" }));
    await waitFor(() => expect(last(drafts(calls("feedback_save_draft"))).with_picture).toBe(false));
  });
});
