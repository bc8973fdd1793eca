import { ActionIcon, Button } from "@mantine/core";
import { useCallback, useRef, useState, type FocusEvent, type KeyboardEvent } from "react";
import { useTranslation } from "react-i18next";

import { Close } from "../../design/icons";
import type { Setting } from "../../ipc/bindings";
import * as client from "../../ipc/client";
import type { Change } from "./parts";
import { shortcutOf, shownShortcut } from "./keys";

/**
 * The shortcut is set by pressing it. Keys that another program holds never get to a window: while it listens the app takes
 * them all, where the desktop lets it, and the window those that come to it elsewhere.
 */
export function Shortcut({ setting, change }: { setting: Setting<string>; change: Change }) {
  const { t } = useTranslation();
  const [listening, setListening] = useState(false);
  const [hint, setHint] = useState(false);
  // Which time of listening an answer belongs to.
  const turn = useRef(0);
  // Whether the app takes the keys.
  const asked = useRef(false);
  const locked = setting.locked_by !== null;
  const end = useCallback(() => {
    turn.current += 1;
    setListening(false);
    setHint(false);
  }, []);
  const giveUp = useCallback(() => {
    end();
    client.shortcutPressEnd().catch(() => undefined);
  }, [end]);
  const listen = useCallback(async () => {
    turn.current += 1;
    const now = turn.current;
    setListening(true);
    for (;;) {
      let pressed: string | null;
      try {
        asked.current = true;
        pressed = await client.shortcutPress();
      } catch {
        // The window gets the keys that nobody holds.
        asked.current = false;
        return;
      }
      if (turn.current !== now) return;
      if (pressed !== "") {
        end();
        if (pressed !== null) void change({ shortcut: pressed });
        return;
      }
      setHint(true);
    }
  }, [change, end]);
  // The app sees by itself that the person went to another window: taking all keys looks like that to this one.
  const blurred = (event: FocusEvent) => {
    const isElsewhere = document.activeElement !== event.currentTarget;
    if (listening && (isElsewhere || !asked.current)) giveUp();
  };
  const onKey = (event: KeyboardEvent) => {
    if (!listening || event.key === "Tab") return;
    event.preventDefault();
    event.stopPropagation();
    if (event.key === "Escape") {
      giveUp();
      return;
    }
    const pressed = shortcutOf(event);
    if (pressed === "modifier") return;
    if (!pressed) {
      setHint(true);
      return;
    }
    giveUp();
    void change({ shortcut: pressed });
  };
  return (
    <div className="shortcut">
      <Button
        variant="default"
        disabled={locked}
        data-listening={listening || undefined}
        onClick={() => void (listening || listen())}
        onKeyDown={onKey}
        onBlur={blurred}
        aria-label={t("settings.shortcut.label", {
          shortcut: setting.value ? shownShortcut(setting.value, t) : t("settings.shortcut.none"),
        })}
      >
        {listening
          ? t("settings.shortcut.press")
          : setting.value
            ? shownShortcut(setting.value, t)
            : t("settings.shortcut.none")}
      </Button>
      {setting.value && !locked && (
        <ActionIcon aria-label={t("settings.shortcut.remove")} onClick={() => void change({ shortcut: "" })}>
          <Close size={16} />
        </ActionIcon>
      )}
      <span role="status" className="quiet">
        {listening ? (hint ? t("settings.shortcut.modifier") : t("settings.shortcut.how")) : ""}
      </span>
    </div>
  );
}
