/**
 * Measures how the page that it runs in looks; the last value is what it found. Plain JavaScript, as a browser has it: a page's types are
 * not those of this project.
 */
(() => {
  /** Pixels by which edges may differ: fonts and drawings do not end at whole ones. */
  const NEAR = 1;

  const colorOf = (text) => {
    const [red = 0, green = 0, blue = 0, alpha = 1] = (text.match(/[\d.]+/g) ?? []).map(Number);
    return { red, green, blue, alpha: text === "transparent" ? 0 : alpha };
  };
  const over = (top, below) => ({
    red: top.red * top.alpha + below.red * (1 - top.alpha),
    green: top.green * top.alpha + below.green * (1 - top.alpha),
    blue: top.blue * top.alpha + below.blue * (1 - top.alpha),
    alpha: 1,
  });
  /** What is behind an element's text: its own background over its parents'. */
  const groundOf = (element) => {
    if (element === null) return { red: 255, green: 255, blue: 255, alpha: 1 };
    const color = colorOf(getComputedStyle(element).backgroundColor);
    return color.alpha === 1 ? color : over(color, groundOf(element.parentElement));
  };
  /** Relative luminance, from 0 to 1 (WCAG 2.2). */
  const luminanceOf = ({ red, green, blue }) => {
    const [r, g, b] = [red, green, blue].map((value) => {
      const share = value / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const opacityOf = (element) =>
    element === null ? 1 : Number(getComputedStyle(element).opacity) * opacityOf(element.parentElement);
  const contrastOf = (text, element) => {
    const ground = groundOf(element);
    const color = over({ ...text, alpha: text.alpha * opacityOf(element) }, ground);
    const [low, high] = [luminanceOf(ground), luminanceOf(color)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  };

  const seen = (element) => element.checkVisibility({ opacityProperty: true, visibilityProperty: true });
  /** The corners of a text in a drawing, on the screen, also of one that is turned. */
  const cornersOf = (text) => {
    const { x, y, width, height } = text.getBBox();
    const matrix = text.getScreenCTM();
    return [
      [x, y],
      [x + width, y],
      [x + width, y + height],
      [x, y + height],
    ].map(([left, top]) => new DOMPoint(left, top).matrixTransform(matrix));
  };
  /** Two convex shapes are apart where some side of one has all of the other beyond it. */
  const apart = (one, other) =>
    [one, other].some((shape) =>
      shape.some((from, index) => {
        const to = shape[(index + 1) % shape.length];
        const [x, y] = [to.y - from.y, from.x - to.x];
        const length = Math.hypot(x, y) || 1;
        const along = (points) => points.map((point) => (point.x * x + point.y * y) / length);
        const [a, b] = [along(one), along(other)];
        return Math.max(...a) - Math.min(...b) <= NEAR || Math.max(...b) - Math.min(...a) <= NEAR;
      }),
    );

  const drawings = [...document.querySelectorAll("svg")].filter(seen).map((svg) => {
    const box = svg.getBoundingClientRect();
    const texts = [...svg.querySelectorAll("text")].filter((text) => text.textContent.trim() !== "");
    const corners = texts.map(cornersOf);
    const within = ({ x, y }) =>
      x >= box.left - NEAR && x <= box.right + NEAR && y >= box.top - NEAR && y <= box.bottom + NEAR;
    return {
      name: svg.getAttribute("aria-label"),
      width: box.width,
      height: box.height,
      labels: texts.length,
      clipped: texts.filter((_, index) => !corners[index].every(within)).map((text) => text.textContent),
      overlapping: texts.flatMap((text, index) =>
        texts
          .slice(index + 1)
          .filter((_, more) => !apart(corners[index], corners[index + 1 + more]))
          .map((other) => `${text.textContent} | ${other.textContent}`),
      ),
    };
  });

  const labels = [...document.querySelectorAll("svg text")].filter(seen).map((text) => {
    const { fontSize, fill } = getComputedStyle(text);
    const scale = text.getScreenCTM().a === 0 ? 1 : Math.hypot(text.getScreenCTM().a, text.getScreenCTM().b);
    return {
      text: text.textContent,
      size: Number.parseFloat(fontSize) * scale,
      contrast: contrastOf(colorOf(fill), text),
    };
  });
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const nodes = [];
  while (walker.nextNode()) nodes.push(walker.currentNode);
  const words = nodes
    .filter((node) => node.textContent.trim() !== "" && node.parentElement.closest("svg") === null)
    .filter((node) => seen(node.parentElement))
    .map((node) => {
      const { fontSize, color } = getComputedStyle(node.parentElement);
      return {
        text: node.textContent.trim().slice(0, 60),
        size: Number.parseFloat(fontSize),
        contrast: contrastOf(colorOf(color), node.parentElement),
      };
    });
  const before = [...document.querySelectorAll("td")].filter(seen).flatMap((cell) => {
    const { content, color, fontSize } = getComputedStyle(cell, "::before");
    return content === "none"
      ? []
      : [{ text: content, size: Number.parseFloat(fontSize), contrast: contrastOf(colorOf(color), cell) }];
  });

  /** Boxes whose content is wider than they are, but for those that are made to be moved. */
  const bursting = [...document.querySelectorAll("body, body *")]
    .filter((element) => element.closest("svg") === null && seen(element))
    .filter((element) => element.closest(".scroll") === null)
    .filter((element) => getComputedStyle(element).display !== "inline")
    .filter((element) => element.scrollWidth > element.clientWidth + NEAR && element.clientWidth > 0)
    .map((element) => `${element.tagName.toLowerCase()}.${element.className}: ${element.textContent.slice(0, 40)}`);

  return {
    pageOverflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
    headings: [...document.querySelectorAll("h1, h2, .verdict")].filter(seen).map((element) => element.textContent),
    texts: [...labels, ...words, ...before],
    drawings,
    bursting,
    ground: luminanceOf(groundOf(document.querySelector("article"))),
  };
})();
