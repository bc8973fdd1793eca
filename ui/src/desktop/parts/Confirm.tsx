import { Button, Group, Modal, Text } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { useAnnounce } from "./Announcer";
import { Problem } from "./Problem";
import { asSentence } from "../../ipc/client";
import type { Sentence } from "../../ipc/bindings";

type Props<T> = {
  opened: boolean;
  onClose: () => void;
  title: string;
  /** What goes, what stays. */
  text: string;
  /** The verb on the button: "Delete", never "OK". */
  action: string;
  /** What is said when it is done. */
  done: string | ((result: T) => string);
  act: () => Promise<T>;
  onDone: (result: T) => void;
};

/** Asks before something is lost. */
export function Confirm<T>({ opened, onClose, title, text, action, done, act, onDone }: Props<T>) {
  const { t } = useTranslation();
  const announce = useAnnounce();
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Sentence | null>(null);
  const close = () => {
    setProblem(null);
    onClose();
  };
  const go = async () => {
    setBusy(true);
    try {
      const result = await act();
      announce(typeof done === "string" ? done : done(result));
      close();
      onDone(result);
    } catch (thrown) {
      setProblem(asSentence(thrown));
    } finally {
      setBusy(false);
    }
  };
  return (
    <Modal
      opened={opened}
      onClose={close}
      title={title}
      size="sm"
      closeButtonProps={{ "aria-label": t("common.close") }}
    >
      <Text mb="lg">{text}</Text>
      {problem && <Problem sentence={problem} kind="danger" />}
      <Group justify="flex-end" gap="sm" mt="md">
        <Button variant="default" onClick={close} data-autofocus>
          {t("common.keep")}
        </Button>
        <Button color="red" data-danger onClick={() => void go()} loading={busy}>
          {action}
        </Button>
      </Group>
    </Modal>
  );
}
