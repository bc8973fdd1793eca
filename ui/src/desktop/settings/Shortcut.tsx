import { ActionIcon, Button } from "@mantine/core";
import { useState, type KeyboardEvent } from "react";
import { useTranslation } from "react-i18next";

import { Close } from "../../design/icons";
import type { Setting } from "../../ipc/bindings";
import type { Change } from "./parts";
import { shortcutOf, shownShortcut } from "./keys";

/** The shortcut is set by pressing it. */
export function Shortcut({ setting, change }: { setting: Setting<string>; change: Change }) {
  const { t } = useTranslation();
  const [listening, setListening] = useState(false);
  const [hint, setHint] = useState(false);
  const locked = setting.locked_by !== null;
  const onKey = (event: KeyboardEvent) => {
    if (!listening || event.key === "Tab") return;
    event.preventDefault();
    event.stopPropagation();
    if (event.key === "Escape") {
      setListening(false);
      return;
    }
    const pressed = shortcutOf(event);
    if (pressed === "modifier") return;
    if (!pressed) {
      setHint(true);
      return;
    }
    setListening(false);
    setHint(false);
    void change({ shortcut: pressed });
  };
  return (
    <div className="shortcut">
      <Button
        variant="default"
        disabled={locked}
        data-listening={listening || undefined}
        onClick={() => setListening(true)}
        onKeyDown={onKey}
        onBlur={() => setListening(false)}
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
