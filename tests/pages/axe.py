"""What axe, the customary checker of accessibility, finds wrong with a page as it is shown."""

from playwright.async_api import Page

from pages.graphiql_build import PROJECT

_AXE = PROJECT / "node_modules" / "axe-core" / "axe.min.js"
_RUN = """axe.run().then(({ violations }) => violations.map(({ id, impact, nodes }) =>
  `${impact} ${id}: ${nodes.slice(0, 3).map(({ target }) => target.join(" ")).join(", ")}`))"""


async def faults(page: Page) -> list[str]:
    """One line for each rule that is broken, with the first elements that break it."""
    # evaluated, not added as an element: the page's policy would refuse that, and is to stay as it is
    await page.evaluate(_AXE.read_text("utf-8"))
    found: list[str] = await page.evaluate(_RUN)
    return found
