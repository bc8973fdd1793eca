import { UnstyledButton } from "@mantine/core";
import type { ReactNode } from "react";

import { Down, Right } from "../../design/icons";

type Props = {
  open: boolean;
  onToggle: () => void;
  /** What is done with it, before and after its line. */
  before?: ReactNode;
  after?: ReactNode;
  line: ReactNode;
  /** All of it. */
  children: ReactNode;
};

/** A line of a list that opens to all of what it stands for. */
export function Entry({ open, onToggle, before, after, line, children }: Props) {
  return (
    <li>
      <div className="record-line">
        {before}
        <UnstyledButton className="record-open" aria-expanded={open} onClick={onToggle}>
          {open ? <Down size={14} /> : <Right size={14} />}
          {line}
        </UnstyledButton>
        {after}
      </div>
      {open && <div className="record-whole">{children}</div>}
    </li>
  );
}
