/**
 * A whole backend in memory: for tests, for a browser without Rust (`desktop.html?demo#/knows`) and for pictures.
 *
 * It is not part of the app's build (`__DEMO__`). The address may say `lang=de`, `theme=dark` and `case=…`.
 */
import type {
  Conversation,
  Deleted,
  Draft,
  FeedbackForm,
  FirstRun,
  Overview,
  RecordPage,
  RecordView,
  Sentence,
  SettingsChange,
} from "../bindings";
import { setTransport, type Events, type Transport } from "../transport";
import * as data from "./data";
import { leaving, SIZE, taken } from "./picture";

/** What is different from an ordinary day. */
export const CASES = [
  "ordinary",
  "offline",
  "unauthorized",
  "paused",
  "not-enrolled",
  "not-acknowledged",
  "widened",
  "acknowledged",
  "no-picture",
  "own-words",
  "empty",
  "unanswered",
  "left",
] as const;
export type Case = (typeof CASES)[number];

export type Demo = {
  transport: Transport;
  /** Every call that was made, in order. */
  calls: { command: string; args: Record<string, unknown> }[];
  /** Makes the next call of a command fail with a sentence. */
  fail: (command: string, sentence: Sentence) => void;
  /** Answers a command in another way. */
  answer: (command: string, run: (args: Record<string, unknown>) => unknown) => void;
  emit: <E extends keyof Events>(event: E, payload: Events[E]) => void;
  closed: () => boolean;
  /** So many records wait from now on. */
  waiting: (count: number) => void;
  /** The form as it stands; what is changed of it is answered the next time. */
  readonly form: FeedbackForm;
  /** The first page as it stands. */
  readonly firstRun: FirstRun;
};

const PAGE = 20;

export function makeDemo(
  which: Case = "ordinary",
  german = false,
  theme: "system" | "light" | "dark" = "system",
  language = "system",
): Demo {
  const state = {
    overview: data.overview(),
    settings: data.settings(),
    form: data.form(german),
    firstRun: data.firstRun(german),
    conversations: data.conversations(german),
    waiting: data.waiting(),
    refused: data.refused(),
    days: new Set(["2026-11-20", "2026-11-19", "2026-11-18"]),
  };
  state.settings.theme.value = theme;
  state.settings.language.value = language;
  apply(which, state);
  Object.assign(state.overview, said(state.conversations));

  const calls: Demo["calls"] = [];
  const failing = new Map<string, Sentence>();
  const listeners = new Map<string, Set<(payload: never) => void>>();
  let closed = false;

  const emit: Demo["emit"] = (event, payload) => listeners.get(event)?.forEach((heard) => heard(payload as never));
  const changed = (change: Partial<Overview>) => {
    state.overview = { ...state.overview, ...change };
    emit("overview", state.overview);
  };
  const page = (records: RecordView[], after: unknown, body: string): RecordPage => {
    const rest = records.filter((one) => after == null || one.seq > Number(after));
    const items = rest.slice(0, PAGE);
    return {
      items,
      next: rest.length > PAGE ? (items.at(-1)?.seq ?? null) : null,
      total: records.length,
      unstored: 0,
      body,
    };
  };

  const blank = (): Draft => data.form(german).draft;
  /** What the person said and didn't leave. */
  const kept = (id: unknown): Conversation => {
    const found = state.conversations.find((one) => one.id === id && one.state.state !== "sent");
    if (!found) throw { key: "problem.unknown", values: { reason: `nothing kept of ${id}` } } satisfies Sentence;
    return found;
  };

  const commands: Record<string, (args: Record<string, unknown>) => unknown> = {
    overview: () => state.overview,
    pause: (args) =>
      changed({
        icon: "paused",
        capture: { state: "paused", until: args.for === "until_resumed" ? null : data.at(19) },
      }),
    resume: () => changed({ icon: "capturing", capture: { state: "capturing" } }),
    sync_now: () => {
      state.waiting = [];
      changed({ waiting_records: 0, last_sent_at: data.at(18) });
    },
    first_run: () => state.firstRun,
    acknowledge: () => {
      state.firstRun = { ...state.firstRun, widened: [], acknowledged_at: data.at(18) };
      changed({ icon: "capturing", capture: { state: "capturing" } });
    },
    decline: () => undefined,
    feedback_form: () => state.form,
    feedback_sources: () => [
      { id: "screen:0", name: "DP-1", is_screen: true, size: { width: 2560, height: 1440 } },
      { id: "window:0x1e00007", name: "Ledger", is_screen: false, size: SIZE },
      { id: "window:0x2200003", name: "Thunderbird", is_screen: false, size: SIZE },
    ],
    feedback_retake: (args) => ({
      id: `picture-${calls.length}`,
      size: SIZE,
      source: {
        id: String(args.source),
        name: String(args.source).startsWith("screen") ? "DP-1" : "Ledger",
        is_screen: String(args.source).startsWith("screen"),
        size: SIZE,
      },
    }),
    feedback_anew: () => {
      const { draft, picture, ...fresh } = data.form(german);
      state.form = {
        ...fresh,
        draft: { ...draft, id: `0193f0aa-5d0e-7c30-9a35-${String(calls.length).padStart(12, "0")}`, category: null },
        picture: picture && { ...picture, id: `picture-${calls.length}` },
        occasion: null,
      };
      return state.form;
    },
    feedback_picture: () => taken(),
    feedback_save_draft: (args) => {
      state.form = { ...state.form, draft: args.draft as Draft };
    },
    feedback_preview: (args) => {
      const draft = args.draft as Draft;
      return {
        json: JSON.stringify(submission(draft), null, 2),
        picture_bytes: draft.with_picture && state.form.picture ? 48_211 : 0,
        server: "snag.nordhafen.example",
      };
    },
    feedback_preview_picture: (args) => leaving(args.draft as Draft),
    feedback_send: (args) => (args.draft as Draft).id,
    feedback_discard: () => undefined,
    feedback_kept: (args) => {
      const { category, description } = kept(args.id);
      return {
        json: JSON.stringify(submission({ ...blank(), id: String(args.id), category, description }), null, 2),
        picture_bytes: 31_870,
        server: "snag.nordhafen.example",
      };
    },
    feedback_kept_picture: (args) => {
      kept(args.id);
      return leaving(blank());
    },
    conversations: () => state.conversations,
    conversation_delete: (args) => {
      state.conversations = state.conversations.filter((one) => one.id !== args.id);
      changed(said(state.conversations));
    },
    conversation_read: (args) => {
      state.conversations = state.conversations.map((one) => (one.id === args.id ? { ...one, unread: 0 } : one));
      changed({ unread_replies: 0 });
    },
    knows_day: (args) => {
      const date = String(args.date ?? "2026-11-20");
      const known = data.day(date);
      const days = known.days.filter((one) => state.days.has(one));
      if (which === "empty" || !state.days.has(date))
        return { ...known, days, spans: [], incidents: [], sessions: [], screens: [] };
      return { ...known, days };
    },
    knows_waiting: (args) =>
      page(state.waiting, args.after, state.waiting.length > 0 ? JSON.stringify(batch(state.waiting)) : ""),
    knows_sent: () => (which === "empty" ? [] : data.sent()),
    knows_refused: (args) => page(state.refused, args.after, ""),
    knows_looked: () => (which === "empty" ? [] : data.looked()),
    delete_waiting: (args): Deleted => {
      const seqs = args.seqs as number[] | null;
      const before = state.waiting.length;
      state.waiting = seqs ? state.waiting.filter((one) => !seqs.includes(one.seq)) : [];
      changed({ waiting_records: state.waiting.length });
      return { deleted: before - state.waiting.length, leaving: 0 };
    },
    delete_refused: () => {
      state.refused = [];
    },
    delete_day: (args) => void state.days.delete(String(args.date)),
    request_deletion: () => undefined,
    export_json: () => "/home/jo/snag-export.json",
    settings: () => state.settings,
    change_settings: (args) => {
      for (const [name, value] of Object.entries(args.change as SettingsChange)) {
        const setting = state.settings[name as keyof typeof state.settings];
        state.settings = { ...state.settings, [name]: { ...setting, value } };
      }
      emit("settings", state.settings);
      return state.settings;
    },
    // A browser gets the keys itself.
    shortcut_press: () => new Promise(() => undefined),
    shortcut_press_end: () => undefined,
    health: () => data.health(),
    open_window: () => undefined,
    close_window: () => {
      closed = true;
    },
  };

  const transport: Transport = {
    invoke: async <T>(command: string, args: Record<string, unknown> = {}): Promise<T> => {
      calls.push({ command, args: structuredClone(args) });
      const sentence = failing.get(command);
      if (sentence) {
        failing.delete(command);
        throw sentence;
      }
      const run = commands[command];
      if (!run) throw { key: "problem.unknown", values: { reason: `no command ${command}` } } satisfies Sentence;
      return (await run(args)) as T;
    },
    listen: async (event, heard) => {
      const all = listeners.get(event) ?? new Set();
      all.add(heard as (payload: never) => void);
      listeners.set(event, all);
      return () => all.delete(heard as (payload: never) => void);
    },
  };
  return {
    transport,
    calls,
    fail: (command, sentence) => failing.set(command, sentence),
    answer: (command, run) => {
      commands[command] = run;
    },
    emit,
    closed: () => closed,
    waiting: (count) => {
      const all = data.waiting();
      const first = all[0]?.seq ?? 0;
      state.waiting = Array.from({ length: count }, (_, index) => ({
        ...(all[index % all.length] as RecordView),
        seq: first + index,
      }));
    },
    get firstRun() {
      return state.firstRun;
    },
    get form() {
      return state.form;
    },
  };
}

type State = {
  overview: Overview;
  form: FeedbackForm;
  firstRun: ReturnType<typeof data.firstRun>;
  conversations: Conversation[];
  waiting: unknown[];
  refused: unknown[];
};

function apply(which: Case, state: State): void {
  switch (which) {
    case "ordinary":
      return;
    case "offline":
      state.overview = {
        ...state.overview,
        icon: "offline",
        server_problem: { key: "problem.offline", values: {} },
        concern: { key: "problem.offline", values: {} },
        unread_replies: 0,
        problems: [{ key: "problem.offline", values: {} }],
      };
      return;
    case "unauthorized": {
      const refused = { key: "problem.unauthorized", values: { count: "38" } };
      state.overview = {
        ...state.overview,
        icon: "attention",
        server_problem: refused,
        concern: refused,
        problems: [refused],
      };
      return;
    }
    case "paused":
      state.overview = { ...state.overview, icon: "paused", capture: { state: "paused", until: data.at(19) } };
      return;
    case "not-enrolled":
      Object.assign(state.firstRun, { version: "", organisation: "", contact: "", server: "" });
      state.overview = {
        ...state.overview,
        icon: "attention",
        capture: { state: "not_enrolled" },
        organisation: "",
        contact: "",
        problems: [{ key: "problem.not_enrolled", values: {} }],
      };
      return;
    case "not-acknowledged":
      state.overview = { ...state.overview, icon: "attention", capture: { state: "not_acknowledged" } };
      return;
    case "widened":
      state.firstRun.widened = [
        { key: "widened.fewer_excluded", values: { apps: "Health Portal" } },
        { key: "widened.data", values: { what: "A title or name that many people share" } },
        { key: "widened.kept_days", values: { before: "90", after: "180" } },
      ];
      state.firstRun.acknowledged_at = data.at(8);
      return;
    case "acknowledged":
      state.firstRun.acknowledged_at = data.at(8);
      return;
    case "no-picture":
      state.form.picture = null;
      state.form.picture_refused = {
        key: "problem.pictures_not_allowed",
        values: { organisation: state.overview.organisation },
      };
      return;
    case "own-words":
      state.form.occasion = null;
      state.form.draft = { ...state.form.draft, category: null };
      return;
    case "unanswered":
      state.conversations.splice(0, 1);
      return;
    case "left":
      state.form.left_at = data.at(16, 20);
      state.form.draft = { ...state.form.draft, category: "idea", description: "The list of suppliers could" };
      return;
    case "empty":
      state.overview = { ...state.overview, waiting_records: 0, last_sent_at: null, unread_replies: 0 };
      state.conversations.length = 0;
      state.waiting.length = 0;
      state.refused.length = 0;
  }
}

/** What was said, as the overview counts it. */
function said(conversations: Conversation[]) {
  const count = (state: Conversation["state"]["state"]) =>
    conversations.filter((one) => one.state.state === state).length;
  return { waiting_feedback: count("waiting"), sent_feedback: count("sent"), refused_feedback: count("refused") };
}

function submission(draft: Draft) {
  const { id, category, description, rating, tags, steps, marks } = draft;
  return {
    id,
    created_at: data.at(18),
    category,
    description,
    ...(rating ? { rating } : {}),
    ...(tags.length > 0 ? { tags } : {}),
    target: { app: "Ledger" },
    ...(steps.length > 0 ? { friction_trail: steps } : {}),
    os: "Linux 6.1",
    agent_version: "0.4.0",
    ...(marks.length > 0 ? { annotation: marks } : {}),
  };
}

function batch(records: RecordView[]) {
  return {
    device: "0193e7a4-1111-7000-8000-3b1f5b7ad6d2",
    product: "back-office",
    agent_version: "0.4.0",
    sent_at: data.at(18),
    base_at: data.at(17, 30),
    records: records.map((one) => JSON.parse(one.json) as unknown),
  };
}

/** Takes the place of Rust in a browser. */
export function start(params: URLSearchParams): Demo {
  const which = CASES.find((one) => one === params.get("case")) ?? "ordinary";
  const theme = params.get("theme");
  const language = params.get("lang") ?? "system";
  const german = language === "de" || (language === "system" && navigator.language.startsWith("de"));
  const demo = makeDemo(which, german, theme === "dark" || theme === "light" ? theme : "system", language);
  setTransport(demo.transport);
  return demo;
}
