import { MantineProvider } from "@mantine/core";
import { Notifications } from "@mantine/notifications";
import { RouterProvider } from "@tanstack/react-router";
import { cssVariables, theme } from "@/ui/theme";
import { Gate } from "./Gate";
import { router } from "./router";

export function App() {
  return (
    <MantineProvider theme={theme} defaultColorScheme="auto" cssVariablesResolver={cssVariables}>
      <Notifications position="bottom-right" />
      <Gate>
        <RouterProvider router={router} />
      </Gate>
    </MantineProvider>
  );
}
