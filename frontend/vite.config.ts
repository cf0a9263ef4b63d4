import { defineConfig } from "vite";

export default defineConfig({
  base: "./", // the pages work under any address, and from a file host
  build: {
    outDir: "../src/swathe/viewer/static",
    emptyOutDir: true,
    target: "es2022",
    assetsInlineLimit: 0, // nothing inline: the content policy allows files of this server only
    chunkSizeWarningLimit: 1500, // MapLibre
    rollupOptions: { input: ["index.html", "api.html", "map.html"] },
  },
  server: { proxy: { "/api": "http://127.0.0.1:8765" } },
});
