import { Spotlight, type SpotlightActionGroupData } from "@mantine/spotlight";
import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useSession } from "@/api/use-session";
import { assetsQuery } from "@/features/assets/api/assets";
import { StateMark } from "@/ui/components/StateMark";
import { IconBell, IconGauge, IconList, IconModel, IconSearch } from "@/ui/icons";
import { adminPages } from "./admin-pages";

/** Ctrl-K: any machine or page by a few letters. */
export function Palette() {
  const navigate = useNavigate();
  const { may } = useSession();
  const { data } = useQuery({ ...assetsQuery, enabled: may("plant.read") });
  const actions: SpotlightActionGroupData[] = [
    {
      group: "Pages",
      actions: [
        { id: "worklist", label: "Worklist", leftSection: <IconList />, onClick: () => void navigate({ to: "/" }) },
        { id: "alarms", label: "Alarms", leftSection: <IconBell />, onClick: () => void navigate({ to: "/alarms" }) },
        {
          id: "shelved",
          label: "Shelved alarms",
          leftSection: <IconBell />,
          onClick: () => void navigate({ to: "/alarms", search: { state: "shelved" } }),
        },
        { id: "models", label: "Models", leftSection: <IconModel />, onClick: () => void navigate({ to: "/models" }) },
        { id: "rollouts", label: "Rollouts", leftSection: <IconModel />, onClick: () => void navigate({ to: "/rollouts" }) },
        ...adminPages(may).map(({ to, label }) => ({
          id: to,
          label: to === "/admin" ? "Admin" : label,
          leftSection: <IconGauge />,
          onClick: () => void navigate({ to }),
        })),
      ],
    },
    {
      group: "Machines",
      actions: (data?.assets ?? []).map((asset) => ({
        id: asset.id,
        label: asset.name,
        description: asset.path.slice(1).join(" / "),
        keywords: [asset.id, ...asset.path],
        leftSection: <StateMark name={asset.condition} compact />,
        onClick: () => void navigate({ to: "/assets/$id", params: { id: asset.id } }),
      })),
    },
  ];
  return (
    <Spotlight
      actions={actions}
      shortcut={["mod + K"]}
      limit={12}
      highlightQuery
      nothingFound="No machine or page of that name"
      searchProps={{
        leftSection: <IconSearch />,
        placeholder: "Machine or page",
        "aria-label": "Machine or page",
      }}
    />
  );
}
