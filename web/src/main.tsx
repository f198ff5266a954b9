import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import "@mantine/core/styles.css";
import "@mantine/notifications/styles.css";
import "@mantine/spotlight/styles.css";
import "uplot/dist/uPlot.min.css";
import "@/ui/styles.css";
import { session } from "@/api/browser-session";
import { App } from "@/app/App";

const root = document.getElementById("root");
if (!root) throw new Error("index.html has no #root to draw in");
void session.start();
createRoot(root).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
