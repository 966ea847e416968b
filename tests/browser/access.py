"""What a page offers to those who do not see it, or do not use a mouse."""

from __future__ import annotations

from typing import Any

MOST_STOPS = 300
"""A page with more stops than this is a trap for the keyboard."""

NOTEBOOK = ".jp-Notebook"
"""The cells of a notebook in JupyterLab, and the whole page of an app in Voilà."""

_INSIDE = """root => {
    const focused = document.activeElement;
    return focused !== root && root.contains(focused);
}"""

_CONTRASTS = """elements => {
    const context = Object.assign(document.createElement('canvas'), {width: 1, height: 1})
        .getContext('2d', {willReadFrequently: true});
    const read = colour => {
        context.clearRect(0, 0, 1, 1);
        context.fillStyle = colour;
        context.fillRect(0, 0, 1, 1);
        const [r, g, b, a] = context.getImageData(0, 0, 1, 1).data;
        return {rgb: [r, g, b], alpha: a / 255};
    };
    const known = new Map();
    const parsed = colour => {
        if (!known.has(colour)) known.set(colour, read(colour));
        return known.get(colour);
    };
    const over = (top, alpha, below) => top.map((c, at) => c * alpha + below[at] * (1 - alpha));
    const luminance = colour => {
        const [r, g, b] = colour.map(c => c / 255)
            .map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const contrast = element => {
        const ancestors = [];
        for (let at = element; at; at = at.parentElement) ancestors.unshift(at);
        let ground = [255, 255, 255], opacities = 1;
        for (const at of ancestors) {
            const style = getComputedStyle(at), opacity = Number(style.opacity);
            if (style.backgroundImage !== 'none') return 'a background image';
            const {rgb, alpha} = parsed(style.backgroundColor);
            if (alpha * opacity === 1) ground = rgb;
            else ground = over(rgb, alpha * opacity, ground);
            opacities *= opacity;
        }
        const {rgb, alpha} = parsed(getComputedStyle(element).color);
        const text = over(rgb, alpha * opacities, ground);
        const [dark, light] = [luminance(text), luminance(ground)].sort((a, b) => a - b);
        return (light + 0.05) / (dark + 0.05);
    };
    const seen = element => element.checkVisibility({visibilityProperty: true})
        && element.getClientRects().length;
    return elements.filter(seen).map(contrast);
}"""
"""WCAG 2.2, "contrast ratio" and "relative luminance"."""

_WITHOUT_ALT = """root => [...root.querySelectorAll(
        'img, canvas, [role="img"], input[type="image"]')]
    .filter(image => !image.closest('[aria-hidden="true"], [role="presentation"], [role="none"]'))
    .filter(image => !['alt', 'aria-label', 'aria-labelledby', 'title']
        .some(name => image.getAttribute(name)?.trim()))
    .map(image => image.outerHTML.slice(0, 200))"""


def focus_order(page: Any, root: str = NOTEBOOK, most: int = MOST_STOPS) -> list[str]:
    """Where the Tab key stops within the first `root`, in order: ``"button: Save"``.

    Role and name are Chromium's, as a screen reader gets them; a control without a name is
    ``"button: "``.
    """
    start = page.locator(root).first
    start.evaluate("""root => {
        root.dataset.tabindex = root.getAttribute('tabindex') ?? '';
        root.tabIndex = -1;
        root.focus();
    }""")
    session = page.context.new_cdp_session(page)
    stops: list[str] = []
    while page.keyboard.press("Tab") or start.evaluate(_INSIDE):
        stops.append(_focused(session))
        if len(stops) > most:
            raise AssertionError(f"the Tab key does not leave {root}: {stops[-5:]}")
    session.detach()
    start.evaluate("""root => {
        if (root.dataset.tabindex) root.setAttribute('tabindex', root.dataset.tabindex);
        else root.removeAttribute('tabindex');
        delete root.dataset.tabindex;
    }""")
    return stops


def _focused(session: Any) -> str:
    focused = session.send("Runtime.evaluate", {"expression": "document.activeElement"})
    which = {"objectId": focused["result"]["objectId"], "fetchRelatives": False}
    node = session.send("Accessibility.getPartialAXTree", which)["nodes"][0]
    role, name = (node.get(key, {}).get("value", "") for key in ("role", "name"))
    return f"{role}: {name}"


def contrast(page: Any, selector: str) -> float:
    """The lowest WCAG contrast, 1 to 21, of text and ground among the visible elements.

    Text should have 4.5, large text and the edges of controls 3.
    """
    ratios = page.locator(selector).evaluate_all(_CONTRASTS)
    if not ratios:
        raise ValueError(f"nothing to see on the page is {selector}")
    if unknown := [ratio for ratio in ratios if isinstance(ratio, str)]:
        raise ValueError(f"the ground of {selector} is {unknown[0]}: its contrast is not known")
    return min(ratios)


def images_without_alt(page: Any, root: str = NOTEBOOK) -> list[str]:
    """The markup of the pictures that say nothing to those who do not see them."""
    return page.locator(root).first.evaluate(_WITHOUT_ALT)
