import { useId, useRef, useState, type KeyboardEvent } from "react";
import { useTranslation } from "react-i18next";

import { Close } from "../../design/icons";

type Props = {
  label: string;
  hideLabel?: boolean;
  placeholder: string;
  /** Stands in place of it where nothing is in the list and nothing can be put into it. */
  empty?: string;
  value: string[];
  onChange: (value: string[]) => void;
  disabled?: boolean;
  max?: number;
  maxCharacters?: number;
};

/** A list of words: Enter or a comma adds one, Backspace in the empty field takes the last one away. */
export function TagsField({
  label,
  hideLabel,
  placeholder,
  empty,
  value,
  onChange,
  disabled,
  max,
  maxCharacters,
}: Props) {
  const { t } = useTranslation();
  const id = useId();
  const input = useRef<HTMLInputElement>(null);
  const [typed, setTyped] = useState("");

  const add = (text: string) => {
    setTyped("");
    // Twice the same says nothing more.
    const tags = text.split(",").map((tag) => tag.trim().slice(0, maxCharacters));
    const next = [...new Set([...value, ...tags.filter(Boolean)])].slice(0, max);
    if (next.length !== value.length) onChange(next);
  };
  const onKey = (event: KeyboardEvent) => {
    if (event.nativeEvent.isComposing) return;
    if (event.key === "Enter") {
      // With Ctrl the form is sent: with what stands here, too.
      if (!event.ctrlKey && !event.metaKey) event.preventDefault();
      add(typed);
    } else if (event.key === "Backspace" && typed === "" && value.length > 0) onChange(value.slice(0, -1));
  };
  const invites = value.length === 0 || (!hideLabel && !disabled);
  return (
    <div className="tags-field">
      <label htmlFor={id} className={hideLabel ? "sr-only" : undefined}>
        {label}
      </label>
      <div className="tags-box" data-disabled={disabled || undefined}>
        {value.length > 0 && (
          <ul>
            {value.map((tag) => (
              <li key={tag}>
                {tag}
                {!disabled && (
                  <button
                    type="button"
                    aria-label={t("common.remove", { name: tag })}
                    onClick={() => {
                      onChange(value.filter((one) => one !== tag));
                      input.current?.focus();
                    }}
                  >
                    <Close size={12} />
                  </button>
                )}
              </li>
            ))}
          </ul>
        )}
        <input
          ref={input}
          id={id}
          value={typed}
          disabled={disabled}
          placeholder={invites ? (disabled ? empty : placeholder) : undefined}
          onChange={(event) =>
            event.target.value.includes(",") ? add(event.target.value) : setTyped(event.target.value)
          }
          onKeyDown={onKey}
          onBlur={() => add(typed)}
        />
      </div>
    </div>
  );
}
