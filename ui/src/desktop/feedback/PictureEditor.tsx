import { ActionIcon, Checkbox, NativeSelect } from "@mantine/core";
import { useCallback, useEffect, useRef, useState, type KeyboardEvent, type ReactNode } from "react";
import { useTranslation } from "react-i18next";

import {
  Arrow,
  Box,
  Camera,
  Crop,
  Hide,
  Highlight,
  Pointer,
  Redo,
  Search,
  Trash,
  Undo,
  type IconProps,
} from "../../design/icons";
import { number } from "../../i18n";
import type { PictureSource, PictureView, Sentence } from "../../ipc/bindings";
import { asSentence, feedbackPicture, feedbackSources } from "../../ipc/client";
import { Problem } from "../parts/Problem";
import { Canvas } from "./Canvas";
import { change, redo, remove, undo, TOOLS, type History, type Item, type Tool } from "./marks";

export type PictureProps = {
  picture: PictureView;
  history: History;
  withPicture: boolean;
  onHistory: (history: History) => void;
  onWithPicture: (along: boolean) => void;
  onRetake: (source: string) => Promise<void>;
};

const ICONS: Record<Tool, (props: IconProps) => ReactNode> = {
  select: Pointer,
  crop: Crop,
  arrow: Arrow,
  box: Box,
  highlight: Highlight,
  hide: Hide,
};

/** One letter each, where the text hasn't the focus. */
export const TOOL_KEYS: Record<string, Tool> = {
  v: "select",
  c: "crop",
  a: "arrow",
  b: "box",
  h: "highlight",
  x: "hide",
};

/** The picture, its tools, and which screen or window it shows. */
export function PictureEditor({ picture, history, withPicture, onHistory, onWithPicture, onRetake }: PictureProps) {
  const { t } = useTranslation();
  const [tool, setTool] = useState<Tool>("box");
  const [selected, setSelected] = useState<Item | null>(null);
  const [zoomed, setZoomed] = useState(false);
  const [url, setUrl] = useState<string | null>(null);
  const [sources, setSources] = useState<PictureSource[]>([picture.source]);
  const [problem, setProblem] = useState<Sentence | null>(null);
  const strip = useRef<HTMLDivElement>(null);

  // Another tool draws anew: the handles of what was drawn last would catch its first stroke.
  const choose = useCallback((next: Tool) => {
    setTool(next);
    if (next !== "select") setSelected(null);
  }, []);

  useEffect(() => {
    let gone = false;
    let made: string | null = null;
    feedbackPicture(picture.id).then(
      (bytes) => {
        if (gone) return;
        made = URL.createObjectURL(new Blob([bytes]));
        setUrl(made);
      },
      (thrown: unknown) => gone || setProblem(asSentence(thrown)),
    );
    return () => {
      gone = true;
      if (made) URL.revokeObjectURL(made);
    };
  }, [picture.id]);

  useEffect(() => {
    const onKey = (event: globalThis.KeyboardEvent) => {
      const target = event.target as HTMLElement;
      if (target.closest("textarea, input:not([type=radio]):not([type=checkbox]), select, [role=dialog]")) return;
      const command = event.ctrlKey || event.metaKey;
      if (command && event.key.toLowerCase() === "z") {
        event.preventDefault();
        onHistory(event.shiftKey ? redo(history) : undo(history));
        setSelected(null);
      } else if (command && event.key.toLowerCase() === "y") {
        event.preventDefault();
        onHistory(redo(history));
        setSelected(null);
      } else if (!command && !event.altKey) {
        const next = TOOL_KEYS[event.key.toLowerCase()];
        if (next) choose(next);
      }
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, [choose, history, onHistory]);

  const look = () => {
    feedbackSources().then(
      (found) => setSources(found.some((one) => one.id === picture.source.id) ? found : [picture.source, ...found]),
      (thrown: unknown) => setProblem(asSentence(thrown)),
    );
  };
  const retake = (source: string) => {
    setProblem(null);
    setSelected(null);
    onRetake(source).catch((thrown: unknown) => setProblem(asSentence(thrown)));
  };

  // One stop for Tab; arrows move inside, as in any tool bar.
  const onStripKey = (event: KeyboardEvent) => {
    if (event.key !== "ArrowRight" && event.key !== "ArrowLeft") return;
    const buttons = [...(strip.current?.querySelectorAll<HTMLButtonElement>("button:not(:disabled)") ?? [])];
    const at = buttons.indexOf(document.activeElement as HTMLButtonElement);
    const next = buttons[(at + (event.key === "ArrowRight" ? 1 : buttons.length - 1)) % buttons.length];
    event.preventDefault();
    next?.focus();
  };

  const act = (
    label: string,
    key: string | undefined,
    Icon: (props: IconProps) => ReactNode,
    click: () => void,
    more: { pressed?: boolean; disabled?: boolean; stop?: boolean },
  ) => (
    <ActionIcon
      key={label}
      title={key ? `${label} (${key})` : label}
      size="lg"
      aria-label={label}
      aria-pressed={more.pressed}
      aria-keyshortcuts={key}
      disabled={more.disabled}
      data-pressed={more.pressed || undefined}
      tabIndex={more.stop ? 0 : -1}
      onClick={click}
    >
      <Icon size={18} />
    </ActionIcon>
  );

  const drawing = history.present;
  return (
    <section className="picture" aria-label={t("feedback.picture")} data-along={withPicture || undefined}>
      <div className="strip" role="toolbar" aria-label={t("feedback.tools")} ref={strip} onKeyDown={onStripKey}>
        {TOOLS.map((one) => {
          const key = Object.entries(TOOL_KEYS)
            .find(([, name]) => name === one)?.[0]
            ?.toUpperCase();
          return act(t(`feedback.tool.${one}`), key, ICONS[one], () => choose(one), {
            pressed: tool === one,
            stop: tool === one,
          });
        })}
        <span className="strip-gap" />
        {act(
          t("feedback.undo"),
          undefined,
          Undo,
          () => {
            onHistory(undo(history));
            setSelected(null);
          },
          { disabled: history.past.length === 0 },
        )}
        {act(
          t("feedback.redo"),
          undefined,
          Redo,
          () => {
            onHistory(redo(history));
            setSelected(null);
          },
          { disabled: history.future.length === 0 },
        )}
        {act(
          t("feedback.remove"),
          undefined,
          Trash,
          () => {
            if (selected) onHistory(change(history, remove(drawing, selected)));
            setSelected(null);
          },
          { disabled: !selected },
        )}
        <span className="strip-fill" />
        {act(zoomed ? t("feedback.fit") : t("feedback.actual"), undefined, Search, () => setZoomed(!zoomed), {
          pressed: zoomed,
        })}
      </div>

      {problem && <Problem sentence={problem} />}
      {url ? (
        <Canvas
          url={url}
          alt={
            picture.source.is_screen
              ? t("feedback.canvas.label_screen")
              : t("feedback.canvas.label", { name: picture.source.name })
          }
          size={picture.size}
          drawing={drawing}
          tool={tool}
          selected={selected}
          zoomed={zoomed}
          onSelect={setSelected}
          onChange={(next) => onHistory(change(history, next))}
        />
      ) : (
        <div className="canvas-frame" aria-busy="true" />
      )}
      <span className="sr-only" id="canvas-help">
        {t("feedback.canvas.help")}
      </span>

      <div className="picture-foot">
        <Checkbox
          size="sm"
          label={t("feedback.with_picture")}
          checked={withPicture}
          onChange={(event) => onWithPicture(event.currentTarget.checked)}
        />
        <span className="strip-fill" />
        <NativeSelect
          size="xs"
          aria-label={t("feedback.source")}
          value={picture.source.id}
          onFocus={look}
          onPointerEnter={look}
          onChange={(event) => retake(event.currentTarget.value)}
          data={sources.map((one) => ({
            value: one.id,
            label: sourceName(t, one, sources),
          }))}
        />
        <ActionIcon
          title={t("feedback.retake")}
          size="md"
          aria-label={t("feedback.retake")}
          onClick={() => retake(picture.source.id)}
        >
          <Camera size={16} />
        </ActionIcon>
      </div>
    </section>
  );
}

/** What some systems call a screen that has no name of its own. */
const NO_NAME = /^(screen|default)?$/i;

/** What a screen or window is called among those that can be pictured. */
function sourceName(
  t: (key: string, values?: Record<string, string>) => string,
  source: PictureSource,
  all: PictureSource[],
): string {
  if (!source.is_screen) return t("feedback.source_window", { name: source.name });
  if (!NO_NAME.test(source.name)) return t("feedback.source_screen_named", { name: source.name });
  const screens = all.filter((one) => one.is_screen);
  if (screens.length < 2) return t("feedback.source_screen");
  return t("feedback.source_screen_of", { number: number(screens.indexOf(source) + 1) });
}
