import { useId } from "react";

type Props<T extends string> = {
  label: string;
  value: T | null;
  choices: readonly { value: T; label: string; key?: string }[];
  onChange: (value: T) => void;
  invalid?: boolean;
};

/** A few words of which one holds: native radio buttons that look like chips, so that arrow keys and readers know them. */
export function ChoiceChips<T extends string>({ label, value, choices, onChange, invalid }: Props<T>) {
  const name = useId();
  return (
    <fieldset className="chips" data-invalid={invalid || undefined}>
      <legend className="sr-only">{label}</legend>
      <div className="chips-row" role="presentation">
        {choices.map((choice) => (
          <label key={choice.value} className="chip">
            <input
              type="radio"
              name={name}
              value={choice.value}
              checked={choice.value === value}
              onChange={() => onChange(choice.value)}
              aria-keyshortcuts={choice.key ? `Alt+${choice.key}` : undefined}
            />
            <span>{choice.label}</span>
            {choice.key && <kbd aria-hidden="true">{choice.key}</kbd>}
          </label>
        ))}
      </div>
    </fieldset>
  );
}
