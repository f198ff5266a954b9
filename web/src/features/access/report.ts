import { notifications } from "@mantine/notifications";
import type { ReactNode } from "react";

const LOOK = { withBorder: true, closeButtonProps: { "aria-label": "Close" } };

/** Says how to show a refusal of the server under this title. */
export function failed(title: string): (error: Error) => void {
  return ({ message }) => {
    notifications.show({ ...LOOK, title, message, autoClose: 10_000 });
  };
}

/** A line at the edge of the page, long enough to take the thing back. */
export function told(id: string, message: ReactNode): void {
  notifications.show({ ...LOOK, id, message, autoClose: 10_000 });
}
