import { Modal } from "@mantine/core";
import { useHotkeys } from "@mantine/hooks";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { useSession } from "@/api/use-session";
import { adminPages } from "./admin-pages";
import classes from "./Shell.module.css";

const KEYS: { place: string; keys: [string, string][] }[] = [
  {
    place: "Everywhere",
    keys: [
      ["Ctrl K", "Find a machine or page"],
      ["1", "Worklist"],
      ["2", "Alarms"],
      ["3", "Admin"],
      ["4", "Models"],
      ["?", "These shortcuts"],
    ],
  },
  {
    place: "Worklist",
    keys: [
      ["j", "Next machine"],
      ["k", "Previous machine"],
      ["Enter", "Open it"],
      ["/", "Filter"],
    ],
  },
  {
    place: "Alarms",
    keys: [
      ["j", "Next alarm"],
      ["k", "Previous alarm"],
      ["x", "Select or unselect"],
      ["a", "Acknowledge"],
      ["s", "Shelve"],
      ["c", "Comment"],
      ["u", "Bring back (unshelve, in service)"],
      ["o", "Open the journal"],
    ],
  },
  {
    place: "Charts",
    keys: [
      ["drag", "Zoom all charts"],
      ["double-click", "Back to the live range"],
      ["pinch", "Zoom on a touch screen"],
    ],
  },
];

const ON_ALARMS = new Set(["x", "a", "s", "c", "u"]);

function usable(key: string, admin: boolean, acts: boolean): boolean {
  return (key !== "3" || admin) && (acts || !ON_ALARMS.has(key));
}

/** `?` lists every key there is. */
export function Shortcuts() {
  const [opened, setOpened] = useState(false);
  const navigate = useNavigate();
  const { may } = useSession();
  const admin = adminPages(may).length > 0;
  useHotkeys([
    ["shift + ?", () => setOpened(true)],
    ["1", () => void navigate({ to: "/" })],
    ["2", () => void navigate({ to: "/alarms" })],
    ["4", () => void (may("plant.read") && navigate({ to: "/models" }))],
    ["3", () => void (admin && navigate({ to: "/admin" }))],
  ]);
  return (
    <Modal
      opened={opened}
      onClose={() => setOpened(false)}
      title="Keyboard shortcuts"
      size="lg"
      closeButtonProps={{ "aria-label": "Close" }}
    >
      <div className={classes.shortcuts}>
        {KEYS.map(({ place, keys }) => (
          <section key={place}>
            <h3>{place}</h3>
            <dl>
              {keys.filter(([key]) => usable(key, admin, may("alarms.act"))).map(([key, what]) => (
                <div key={key}>
                  <dt>
                    <kbd className="key">{key}</kbd>
                  </dt>
                  <dd>{what}</dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
      </div>
    </Modal>
  );
}
