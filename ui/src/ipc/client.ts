/** One function for each command of the desktop app. What they take and answer is generated from Rust. */
import type {
  Conversation,
  Day,
  Deleted,
  Draft,
  FeedbackForm,
  FeedbackPreview,
  FirstRun,
  HealthLine,
  LookView,
  Overview,
  PauseFor,
  PictureSource,
  PictureView,
  RecordPage,
  Sentence,
  SentBatch,
  Settings,
  SettingsChange,
} from "./bindings";
import { transport } from "./transport";

/** The windows by their labels. */
export const WINDOWS = ["feedback", "first-run", "knows", "settings", "conversations", "about"] as const;
export type WindowName = (typeof WINDOWS)[number];

const call = <T>(command: string, args?: Record<string, unknown>) => transport().invoke<T>(command, args);

export const overview = () => call<Overview>("overview");
export const pause = (duration: PauseFor) => call<null>("pause", { for: duration });
export const resume = () => call<null>("resume");
export const syncNow = () => call<null>("sync_now");

export const firstRun = () => call<FirstRun>("first_run");
export const acknowledge = (version: string) => call<null>("acknowledge", { version });
export const decline = () => call<null>("decline");

export const feedbackForm = () => call<FeedbackForm>("feedback_form");
export const feedbackSources = () => call<PictureSource[]>("feedback_sources");
/** Hides our window, takes the picture and shows the window again. */
export const feedbackRetake = (source: string) => call<PictureView>("feedback_retake", { source });
/** Puts the draft aside for later, hides our window, takes a new picture and shows the window again. */
export const feedbackAnew = () => call<FeedbackForm>("feedback_anew");
/** The picture as it was taken: PNG or WebP. */
export const feedbackPicture = (id: string) => call<ArrayBuffer>("feedback_picture", { id });
export const feedbackSaveDraft = (draft: Draft) => call<null>("feedback_save_draft", { draft });
export const feedbackPreview = (draft: Draft) => call<FeedbackPreview>("feedback_preview", { draft });
/** The picture as it leaves, to the byte. */
export const feedbackPreviewPicture = (draft: Draft) => call<ArrayBuffer>("feedback_preview_picture", { draft });
export const feedbackSend = (draft: Draft) => call<string>("feedback_send", { draft });
export const feedbackDiscard = () => call<null>("feedback_discard");
/** What waits or was refused, exactly. */
export const feedbackKept = (id: string) => call<FeedbackPreview>("feedback_kept", { id });
/** Its picture, to the byte. */
export const feedbackKeptPicture = (id: string) => call<ArrayBuffer>("feedback_kept_picture", { id });

export const conversations = () => call<Conversation[]>("conversations");
export const conversationRead = (id: string) => call<null>("conversation_read", { id });
/** Deletes what the person said, with the answers, on this computer alone. */
export const conversationDelete = (id: string) => call<null>("conversation_delete", { id });

export const knowsDay = (date?: string) => call<Day>("knows_day", { date: date ?? null });
export const knowsWaiting = (after?: number) => call<RecordPage>("knows_waiting", { after: after ?? null });
export const knowsSent = () => call<SentBatch[]>("knows_sent");
export const knowsRefused = (after?: number) => call<RecordPage>("knows_refused", { after: after ?? null });
export const knowsLooked = () => call<LookView[]>("knows_looked");
/** Deletes what waits: these records, or all of them; what leaves at this moment only if it doesn't arrive. */
export const deleteWaiting = (seqs: number[] | null) => call<Deleted>("delete_waiting", { seqs });
/** Deletes what the server refused. */
export const deleteRefused = () => call<null>("delete_refused");
export const deleteDay = (date: string) => call<null>("delete_day", { date });
/** Asks the server to forget what came from this computer. */
export const requestDeletion = () => call<null>("request_deletion");
/** Asks where to by the system's dialog; answers the path, or nothing where the person changed their mind. */
export const exportJson = () => call<string | null>("export_json");

export const settings = () => call<Settings>("settings");
export const changeSettings = (change: SettingsChange) => call<Settings>("change_settings", { change });
/**
 * What is pressed next, as a shortcut is written, also where another program holds these keys: empty where they can be none,
 * nothing where the person changed their mind. Rejects on desktops that don't give programs all keys.
 */
export const shortcutPress = () => call<string | null>("shortcut_press");
export const shortcutPressEnd = () => call<null>("shortcut_press_end");
export const health = () => call<HealthLine[]>("health");
export const openWindow = (name: WindowName) => call<null>("open_window", { name });

export const closeWindow = () => call<null>("close_window");
export const onOverview = (heard: (overview: Overview) => void) => transport().listen("overview", heard);
export const onSettings = (heard: (settings: Settings) => void) => transport().listen("settings", heard);
/** The window was asked to close, and keeps first what it has to. */
export const onLeave = (heard: () => void) => transport().listen("leave", () => heard());
export const onFeedbackForm = (heard: () => void) => transport().listen("feedback-form", () => heard());

/** What a refused command says; anything else that was thrown becomes a sentence, too. */
export function asSentence(thrown: unknown): Sentence {
  if (typeof thrown === "object" && thrown !== null && "key" in thrown && typeof thrown.key === "string") {
    const values =
      "values" in thrown && typeof thrown.values === "object" ? (thrown.values as Record<string, string>) : {};
    return { key: thrown.key, values };
  }
  const reason = thrown instanceof Error ? thrown.message : String(thrown);
  return { key: "problem.unknown", values: { reason } };
}
