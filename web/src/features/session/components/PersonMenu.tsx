import { Menu, Modal } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useState } from "react";
import { session } from "@/api/browser-session";
import { answerOf, client } from "@/api/client";
import { useSession } from "@/api/use-session";
import { sentence } from "@/ui/format";
import { IconUser } from "@/ui/icons";
import { PasswordForm } from "./PasswordForm";
import classes from "./Session.module.css";

const say = (message: string, title?: string): void => {
  notifications.show({ title, message, withBorder: true, closeButtonProps: { "aria-label": "Close" } });
};

async function signOut(): Promise<void> {
  try {
    await session.signOut();
  } catch (cause) {
    say(cause instanceof Error ? cause.message : String(cause), "You are still signed in");
  }
}

async function endOthers(): Promise<void> {
  try {
    const { ended } = await answerOf(client.DELETE("/api/v1/session/others"));
    say(ended === 0 ? "There was no other session." : `${ended} other ${ended === 1 ? "session" : "sessions"} ended.`);
  } catch (cause) {
    say(cause instanceof Error ? cause.message : String(cause), "The other sessions were not ended");
  }
}

/** Who is signed in here, and what they can do with their own account. */
export function PersonMenu() {
  const { person, demo } = useSession();
  const [changing, setChanging] = useState(false);
  const own = !demo && !person.single_sign_on;
  return (
    <>
      <Menu position="bottom-end" shadow="md" width={250}>
        <Menu.Target>
          <button type="button" className={classes.person} aria-label={`Your account: ${person.name}`}>
            <IconUser />
            <span className={`${classes.word} clip`}>{person.name}</span>
          </button>
        </Menu.Target>
        <Menu.Dropdown>
          <div className={classes.who}>
            <strong>{person.full_name || person.name}</strong>
            {person.full_name ? <span className="muted"> {person.name}</span> : null}
            {person.grants.map(({ role, path }) => (
              <div key={`${role} ${path}`} className="muted">
                {sentence(role)}, {path || "everywhere"}
              </div>
            ))}
          </div>
          <Menu.Divider />
          {own ? <Menu.Item onClick={() => setChanging(true)}>Change password</Menu.Item> : null}
          <Menu.Item onClick={() => void endOthers()}>Sign out everywhere else</Menu.Item>
          <Menu.Item onClick={() => void signOut()}>Sign out</Menu.Item>
        </Menu.Dropdown>
      </Menu>
      <Modal opened={changing} onClose={() => setChanging(false)} title="Change password" centered closeButtonProps={{ "aria-label": "Close" }}>
        <PasswordForm
          person={person}
          onCancel={() => setChanging(false)}
          onDone={() => {
            setChanging(false);
            say("The new password counts from now on; your other sessions have ended.");
          }}
        />
      </Modal>
    </>
  );
}
