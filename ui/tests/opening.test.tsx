/** How the form opens: the text field first, the rest after; and what reaches it while it is open. */
import { act, fireEvent, screen, waitFor } from "@testing-library/react";
import { describe, expect, it } from "vitest";

import type { Draft, FeedbackForm } from "../src/ipc/bindings";
import type { Demo } from "../src/ipc/demo";
import { SAVE_AFTER_MS } from "../src/desktop/feedback/useDraft";
import { open, openFirst, whole } from "./window";

const field = () => screen.getByLabelText<HTMLTextAreaElement>("In your words");
const drafts = (calls: Record<string, unknown>[]) => calls.map((args) => args.draft as Draft);
const pause = (ms: number) => new Promise((done) => setTimeout(done, ms));

/** Makes Rust answer for the form only when told to. */
function late(demo: Demo): { arrive: () => Promise<void>; refuse: () => Promise<void> } {
  const { invoke } = demo.transport;
  let open: (refused: boolean) => void = () => undefined;
  const waiting = new Promise<boolean>((done) => (open = done));
  demo.transport.invoke = async (command, args) => {
    if (command === "feedback_form" && (await waiting))
      throw { key: "problem.no_draft", values: {} } satisfies { key: string; values: object };
    return invoke(command, args);
  };
  const answer = async (refused: boolean) => {
    open(refused);
    await pause(5);
  };
  return { arrive: () => answer(false), refuse: () => answer(true) };
}

async function openLate(change?: (form: FeedbackForm) => void) {
  let form: ReturnType<typeof late> | undefined;
  const opened = await openFirst("feedback", "own-words", "en", (demo) => {
    change?.(demo.form);
    form = late(demo);
  });
  if (!form) throw new Error("nothing is late");
  return { ...opened, ...form };
}

describe("the form's first step", () => {
  it("is the text field with its focus, in the right language and scheme, and the button that sends", async () => {
    await openFirst("feedback", "ordinary", "de");
    expect(document.activeElement).toBe(screen.getByLabelText("In Ihren Worten"));
    expect(screen.getByRole("button", { name: "Senden" })).toBeTruthy();
    expect(screen.queryByRole("radio", { name: "Gut" })).toBeNull();
    expect(screen.queryByRole("toolbar")).toBeNull();
    expect(document.documentElement.dataset.mantineColorScheme).toBe("light");
    expect(document.documentElement.lang).toBe("de");
    expect(performance.getEntriesByName("text-ready")).toHaveLength(1);
    expect(performance.getEntriesByName("window-ready")).toEqual([]);
    await whole();
    expect(screen.getByRole("radio", { name: "Gut" })).toBeTruthy();
    expect(screen.getByRole("toolbar")).toBeTruthy();
  });

  it("keeps its very field, with words, selection and focus, when the rest is drawn", async () => {
    await openFirst("feedback");
    const before = field();
    fireEvent.change(before, { target: { value: "typed at once" } });
    before.setSelectionRange(2, 5);
    await whole();
    expect(screen.getByRole("radio", { name: "Good" })).toBeTruthy();
    expect(field()).toBe(before);
    expect(before.isConnected).toBe(true);
    expect(document.activeElement).toBe(before);
    expect(before.value).toBe("typed at once");
    expect([before.selectionStart, before.selectionEnd]).toEqual([2, 5]);
  });

  it("shows no form where there is none", async () => {
    await openFirst("feedback", "ordinary", "en", (demo) =>
      demo.fail("feedback_form", { key: "problem.no_draft", values: {} }),
    );
    expect(screen.getByText(/nothing to send/)).toBeTruthy();
    expect(screen.queryByRole("textbox")).toBeNull();
  });
});

describe("a form that comes late", () => {
  it("brings its words into the field that is there", async () => {
    const { arrive, calls } = await openLate((form) => (form.draft.description = "from before"));
    const before = field();
    expect(before.value).toBe("");
    await arrive();
    expect(field()).toBe(before);
    expect(before.value).toBe("from before");
    expect(document.activeElement).toBe(before);
    await whole();
    await pause(SAVE_AFTER_MS + 50);
    // Nobody changed it: there is nothing to write.
    expect(calls("feedback_save_draft")).toEqual([]);
  });

  it("keeps what was written meanwhile after its own words, and the caret where it was", async () => {
    const { arrive, user, calls, demo } = await openLate((form) => (form.draft.description = "from before"));
    await user.keyboard("and more");
    field().setSelectionRange(3, 3);
    await pause(SAVE_AFTER_MS + 50);
    // A draft that is nobody's is never written.
    expect(calls("feedback_save_draft")).toEqual([]);
    await arrive();
    expect(field().value).toBe("from before\nand more");
    expect(field().selectionStart).toBe("from before\nand".length);
    await waitFor(() => expect(calls("feedback_save_draft")).toHaveLength(1));
    expect(drafts(calls("feedback_save_draft"))[0]).toMatchObject({
      id: demo.form.draft.id,
      description: "from before\nand more",
    });
    await user.keyboard("!");
    expect(field().value).toBe("from before\nand! more");
  });

  it("keeps what was chosen meanwhile", async () => {
    const { arrive, user } = await openLate((form) => (form.draft.category = "bug"));
    await user.keyboard("{Alt>}[Digit2]{/Alt}");
    await arrive();
    expect(screen.getByRole("radio", { name: "Idea" })).toHaveProperty("checked", true);
  });

  it("waits for the end of a word that an input method puts together", async () => {
    const { arrive } = await openLate((form) => (form.draft.description = "from before"));
    fireEvent.compositionStart(field());
    fireEvent.change(field(), { target: { value: "に" } });
    await arrive();
    expect(field().value).toBe("に");
    fireEvent.change(field(), { target: { value: "日本" } });
    fireEvent.compositionEnd(field());
    await waitFor(() => expect(field().value).toBe("from before\n日本"));
  });

  it("is sent once it is here, with what was written", async () => {
    const { arrive, user, calls, demo } = await openLate();
    await user.keyboard("{Alt>}[Digit1]{/Alt}at once{Control>}{Enter}{/Control}");
    expect(calls("feedback_send")).toEqual([]);
    await arrive();
    await waitFor(() => expect(demo.closed()).toBe(true));
    expect(drafts(calls("feedback_send"))).toMatchObject([
      { id: demo.form.draft.id, category: "bug", description: "at once" },
    ]);
  });

  it("is kept with what was written before Esc, and closes at once where nothing was", async () => {
    const written = await openLate();
    await written.user.keyboard("half{Escape}");
    await pause(20);
    expect(written.demo.closed()).toBe(false);
    await written.arrive();
    await waitFor(() => expect(written.demo.closed()).toBe(true));
    expect(drafts(written.calls("feedback_save_draft")).at(-1)?.description).toBe("half");
  });

  it("closes at once with Esc where nothing was written", async () => {
    const { user, demo } = await openLate();
    await user.keyboard("{Escape}");
    await waitFor(() => expect(demo.closed()).toBe(true));
  });

  it("says why where it is refused", async () => {
    const { refuse, user, demo } = await openLate();
    await refuse();
    expect(await screen.findByText(/nothing to send/)).toBeTruthy();
    await user.keyboard("{Escape}");
    await waitFor(() => expect(demo.closed()).toBe(true));
  });
});

describe("a new occasion that reaches the open form", () => {
  const loop = (app: string) => ({
    incident: "error_loop" as const,
    sentence: { key: "occasion.error_loop", values: { app, count: "3", time: "2026-11-20T10:00:00Z" } },
  });

  it("is taken as a whole where the form is empty, again and again", async () => {
    const { demo, calls } = await open("feedback", "own-words");
    for (const [app, description, category] of [
      ["Calc", "Calc says:", "bug"],
      ["Draw", "Draw says:", "idea"],
    ] as const) {
      demo.form.occasion = loop(app);
      demo.form.draft = { ...demo.form.draft, description, category };
      demo.emit("feedback-form", null);
      expect(await screen.findByText(new RegExp(`${app} showed the same error 3 times`))).toBeTruthy();
      expect(field().value).toBe(description);
      expect(document.activeElement).toBe(field());
    }
    expect(screen.getByRole("radio", { name: "Idea" })).toHaveProperty("checked", true);
    expect(calls("feedback_form")).toHaveLength(3);
    expect(calls("feedback_save_draft")).toEqual([]);
  });

  it("takes nothing from what was written, also where that isn't on disk yet", async () => {
    const { user, demo, calls } = await open("feedback", "own-words");
    await user.keyboard("my words");
    await user.click(screen.getByRole("radio", { name: "Good" }));
    demo.form.occasion = loop("Calc");
    demo.form.draft = { ...demo.form.draft, description: "Calc says:", category: "bug", rating: null };
    demo.emit("feedback-form", null);
    expect(await screen.findByText(/Calc showed the same error 3 times/)).toBeTruthy();
    expect(field().value).toBe("my words");
    expect(screen.getByRole("radio", { name: "Good" })).toHaveProperty("checked", true);
    // What the person left open is filled in.
    expect(screen.getByRole("radio", { name: "Problem" })).toHaveProperty("checked", true);
    await waitFor(() =>
      expect(drafts(calls("feedback_save_draft")).at(-1)).toMatchObject({
        description: "my words",
        category: "bug",
        rating: 4,
      }),
    );
  });

  it("leaves what the person chose", async () => {
    const { user, demo } = await open("feedback", "own-words");
    await user.click(screen.getByRole("radio", { name: "Praise" }));
    demo.form.occasion = loop("Calc");
    demo.form.draft = { ...demo.form.draft, category: "bug" };
    demo.emit("feedback-form", null);
    expect(await screen.findByText(/Calc showed/)).toBeTruthy();
    expect(screen.getByRole("radio", { name: "Praise" })).toHaveProperty("checked", true);
  });

  it("is taken as a whole where the person took back what they wrote", async () => {
    const { user, demo } = await open("feedback", "own-words");
    await user.keyboard("a{Backspace}");
    demo.form.draft = { ...demo.form.draft, description: "Calc says:" };
    demo.emit("feedback-form", null);
    await waitFor(() => expect(field().value).toBe("Calc says:"));
  });

  it("lets the words go on in another form, without the marks of a picture that is gone", async () => {
    const { user, demo, calls } = await open("feedback", "own-words");
    await user.keyboard("my words");
    (await screen.findByRole("application")).focus();
    await user.keyboard("x{Enter}");
    await waitFor(() => expect(drafts(calls("feedback_save_draft")).at(-1)?.hidden).toHaveLength(1));
    const id = "0193f0aa-0000-7000-8000-000000000001";
    demo.form.draft = { ...demo.form.draft, id, description: "", hidden: [] };
    demo.emit("feedback-form", null);
    await waitFor(() =>
      expect(drafts(calls("feedback_save_draft")).at(-1)).toMatchObject({ id, description: "my words", hidden: [] }),
    );
    expect(field().value).toBe("my words");
  });
});

describe("a draft that was left", () => {
  const anew = () => screen.getByRole("button", { name: "Start a new one" });
  /** Makes Rust begin another form only when told to. */
  const slowly = async ({ demo }: { demo: Demo }) => {
    const { invoke } = demo.transport;
    let begin: () => void = () => undefined;
    const waiting = new Promise<void>((done) => (begin = done));
    demo.transport.invoke = async (command, args) => {
      if (command === "feedback_anew") await waiting;
      return invoke(command, args);
    };
    return () => act(async () => begin());
  };

  it.each([
    ["en", /^Your draft of Fri, Nov 20, 04:20.PM\. If you start a new one, it is kept for later\./],
    ["de", /^Ihr Entwurf vom Fr\., 20\. Nov\., 16:20\. Wenn Sie neu beginnen, bleibt er für später aufgehoben\./],
  ] as const)("says of when it is, and what becomes of it, %s", async (language, words) => {
    await open("feedback", "left", language);
    expect(document.querySelector(".left-draft")?.textContent).toMatch(words);
  });

  it("isn't spoken of where it is none", async () => {
    await open("feedback");
    expect(screen.queryByRole("button", { name: "Start a new one" })).toBeNull();
  });

  it("is kept with all that was typed before another is begun", async () => {
    const { user, demo, calls } = await open("feedback", "left");
    await user.type(field(), " be longer");
    await user.click(anew());
    await waitFor(() => expect(field().value).toBe(""));
    const order = demo.calls.map((call) => call.command);
    expect(order.lastIndexOf("feedback_save_draft")).toBeLessThan(order.indexOf("feedback_anew"));
    expect(drafts(calls("feedback_save_draft")).at(-1)?.description).toBe("The list of suppliers could be longer");
    await pause(SAVE_AFTER_MS + 50);
    expect(demo.calls.map((call) => call.command).lastIndexOf("feedback_save_draft")).toBe(
      order.lastIndexOf("feedback_save_draft"),
    );
    expect(screen.getAllByRole("status").some((one) => /kept for later/.test(one.textContent ?? ""))).toBe(true);
  });

  it("makes room for one that is as if just opened", async () => {
    const { user, calls, demo } = await open("feedback", "left");
    const before = field();
    (await screen.findByRole("application")).focus();
    await user.keyboard("x{Enter}");
    await waitFor(() => expect(drafts(calls("feedback_save_draft")).at(-1)?.hidden).toHaveLength(1));
    await user.click(screen.getByRole("button", { name: "Show the steps" }));
    await user.click(screen.getByRole("checkbox", { name: /Error$/ }));
    await user.type(screen.getByRole("textbox", { name: "Tags" }), "late");
    await user.click(screen.getByRole("button", { name: "Send" }));
    await user.click(anew());
    await waitFor(() => expect(field()).not.toBe(before));
    await whole();
    expect(field().value).toBe("");
    expect(document.activeElement).toBe(field());
    expect(screen.queryByRole("button", { name: "Start a new one" })).toBeNull();
    expect(screen.queryByRole("alert")).toBeNull();
    expect(screen.queryByText("late")).toBeNull();
    expect(await screen.findByRole("button", { name: "Undo" })).toHaveProperty("disabled", true);
    expect(screen.getByRole("button", { name: "Show the steps" }).getAttribute("aria-expanded")).toBe("false");
    expect(screen.getByRole("checkbox", { name: "Attach the last minute (7 steps)" })).toHaveProperty("checked", false);
    await waitFor(() => expect(calls("feedback_picture").at(-1)).toEqual({ id: demo.form.picture?.id }));
    expect(demo.form.picture?.id).not.toBe("picture-1");
    // What is written now is the new one's.
    await user.keyboard("fresh");
    await waitFor(() =>
      expect(drafts(calls("feedback_save_draft")).at(-1)).toMatchObject({
        id: demo.form.draft.id,
        description: "fresh",
        hidden: [],
        tags: [],
      }),
    );
  });

  it("stays, with the focus where it was, where no other can be begun", async () => {
    const { user, demo, calls } = await open("feedback", "left");
    demo.fail("feedback_anew", { key: "problem.too_many_waiting", values: { limit: "50" } });
    await user.click(anew());
    expect((await screen.findByText(/50 messages wait here already/)).closest("[role=alert]")).toBeTruthy();
    expect(field().value).toBe("The list of suppliers could");
    expect(document.activeElement).toBe(anew());
    expect(document.querySelector("[inert]")).toBeNull();
    await user.type(field(), "!");
    await waitFor(() => expect(drafts(calls("feedback_save_draft")).at(-1)?.description).toMatch(/could!$/));
  });

  it("stays where it can't be kept, and is tried again", async () => {
    const { user, demo, calls } = await open("feedback", "left");
    let isFull = true;
    demo.answer("feedback_save_draft", () => {
      if (isFull) throw { key: "problem.disk_full", values: {} };
    });
    await user.type(field(), "!");
    await screen.findByText(/disk is full/);
    await user.click(anew());
    await waitFor(() => expect(document.querySelector("[inert]")).toBeNull());
    expect(calls("feedback_anew")).toEqual([]);
    expect(screen.getAllByText(/disk is full/)).toHaveLength(1);
    isFull = false;
    await user.click(anew());
    await waitFor(() => expect(field().value).toBe(""));
    expect(drafts(calls("feedback_save_draft")).at(-1)?.description).toBe("The list of suppliers could!");
  });

  it("takes nothing more once another is on its way", async () => {
    const opened = await open("feedback", "left");
    const begin = await slowly(opened);
    const { user, demo, calls } = opened;
    await user.type(field(), "!");
    await user.click(anew());
    expect(screen.getByRole("main").hasAttribute("inert")).toBe(true);
    // Rust's form is the other one already, and an occasion reaches it.
    demo.form.draft = { ...demo.form.draft, id: "0193f0aa-0000-7000-8000-000000000001", description: "" };
    demo.emit("feedback-form", null);
    await user.keyboard("{Control>}{Enter}{/Control}{Alt>}[Digit4]{/Alt}{Escape}");
    await pause(SAVE_AFTER_MS + 50);
    expect(calls("feedback_send")).toEqual([]);
    expect(demo.closed()).toBe(false);
    await begin();
    await waitFor(() => expect(field().value).toBe(""));
    const ids = drafts(calls("feedback_save_draft")).map((draft) => draft.id);
    expect(new Set(ids).size).toBe(1);
    expect(ids[0]).not.toBe("0193f0aa-0000-7000-8000-000000000001");
    expect(screen.queryByRole("radio", { checked: true })).toBeNull();
  });
});
