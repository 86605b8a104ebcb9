import { expect, it } from "vitest";
import { escapeHtml } from "../../../../local/drawing/page";

it("leaves nothing in a text that HTML would read", () => {
  expect(escapeHtml(`<a href="x" title='y'>&</a>`)).toBe(
    "&lt;a href=&quot;x&quot; title=&#39;y&#39;&gt;&amp;&lt;/a&gt;",
  );
});
