import { existsSync } from 'node:fs';
import path from 'node:path';
import { chromium, type Browser, type Page } from 'playwright-core';
import { eventually } from './eventually';

const PLACES = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
];

/** The system's own browser; CHROMIUM names another. */
export function chromiumPath(): string | undefined {
  return [process.env['CHROMIUM'], ...PLACES].find((place) => place !== undefined && existsSync(place));
}

const SCREENSHOTS = path.join(__dirname, '..', '..', 'docs', 'screenshots');

/** Temporal's own Web UI in a browser, as ops see it. */
export class WebUi {
  private constructor(
    private readonly browser: Browser,
    private readonly page: Page,
    private readonly base: string,
  ) {}

  static async open(executablePath: string, namespace: string): Promise<WebUi> {
    const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
    const page = await browser.newPage({ viewport: { width: 1280, height: 760 } });
    return new WebUi(browser, page, `${process.env['HOLDFAST_TEST_WEB_UI_URL']}/namespaces/${namespace}`);
  }

  close(): Promise<void> {
    return this.browser.close();
  }

  async showWorkflows(query: string): Promise<void> {
    await this.page.goto(`${this.base}/workflows?query=${encodeURIComponent(query)}`);
  }

  async showWorkflow(workflowId: string): Promise<void> {
    await this.page.goto(`${this.base}/workflows/${encodeURIComponent(workflowId)}`);
    await this.page.getByText('User Metadata').first().click();
  }

  /** The menu's dialog that needs no more than a name. */
  async showSendSignal(): Promise<void> {
    await this.page.getByRole('button', { name: 'More Actions' }).click();
    await this.page.getByRole('menuitem', { name: 'Send a Signal' }).click();
  }

  /** Once the page, or a frame in it, shows this text. What names the machine and the test's namespace is left out. */
  async picture(name: string, text: string): Promise<void> {
    await eventually(
      async () => {
        const texts = await Promise.all(this.page.frames().map((frame) => frame.locator('body').innerText()));
        expect(texts.join('\n')).toContain(text);
      },
      { withinMs: 30_000, everyMs: 500 },
    );
    const file = path.join(SCREENSHOTS, `${name}.png`);
    await this.page.screenshot({
      path: file,
      animations: 'disabled',
      clip: { x: 64, y: 60, width: 1216, height: 540 },
    });
  }
}
