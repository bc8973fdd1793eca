import { MantineProvider } from "@mantine/core";
import type { ComponentType, ReactNode } from "react";

import "../../design/mantine";
import { theme } from "../../design/theme";
import type { WindowProps } from "../ask";

/** Gives Mantine's parts the theme. Their style sheets are files: nothing is written into the page at run time. */
export function Look({ scheme, children }: { scheme: "light" | "dark"; children: ReactNode }) {
  return (
    <MantineProvider theme={theme} forceColorScheme={scheme} withCssVariables={false} withGlobalClasses={false}>
      {children}
    </MantineProvider>
  );
}

/** A window that is made of Mantine's parts. */
export function withLook(Window: ComponentType<WindowProps>): ComponentType<WindowProps> {
  return function Looking(props: WindowProps) {
    return (
      <Look scheme={props.scheme}>
        <Window {...props} />
      </Look>
    );
  };
}
