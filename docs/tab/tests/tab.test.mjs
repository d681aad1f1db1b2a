// A step in the reader's tab, in real browsers. `make docs` comes before. SITE may name the folder of the site.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { Chapter, PATH, findProgram, launch, serve, until } from "./site.mjs";

function isElsewhere(url, site) {
  return /^https?:/.test(url) && !url.startsWith(site.url) && !url.endsWith("/favicon.ico");
}

// What continuous integration installs by itself must be there.
const required = { chrome: process.env.REQUIRE_BROWSER, firefox: process.env.REQUIRE_SERVERS };

for (const name of ["chrome", "firefox"]) {
  describe(name, { skip: !findProgram(name) && required[name] !== "1" && `no ${name}` }, () => {
    let browser, site;

    before(async () => {
      site = await serve();
      browser = await launch(name);
    });
    after(async () => {
      await browser?.close();
      await site?.close();
    });

    const open = (step, options) => Chapter.open(browser, site, step, options);

    for (const step of [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]) {
      test(`step ${step}: alice and bob talk`, async () => {
        const chapter = await (await open(step)).run();
        await chapter.sees("alice", "General");
        await chapter.say("alice", "hello, bob");
        await chapter.sees(step === 3 ? "alice" : "bob", "hello, bob");
        await chapter.sees("alice", `step${String(step).padStart(2, "0")}`);
        assert.deepEqual(chapter.requests.filter((url) => isElsewhere(url, site)), []);
        await chapter.close();
      });
    }

    test("step 4: bob on a second server misses the message", async () => {
      const chapter = await (await open(4)).run();
      await chapter.restart(() => chapter.click(".run-step input[type=checkbox]"));
      await chapter.sees("bob", "server 2 of 2");
      await chapter.sees("alice", "server 1 of 2");
      await chapter.connected("bob");
      await chapter.say("alice", "anyone there?");
      await chapter.sees("alice", "anyone there?");
      await chapter.say("bob", "I am here");
      await chapter.sees("bob", "I am here");
      assert.ok(!(await chapter.in("bob", () => document.body.innerText)).includes("anyone there?"));
      await chapter.close();
    });

    test("step 5: bob on a second server gets the message", async () => {
      const chapter = await (await open(5)).run();
      await chapter.restart(() => chapter.click(".run-step input[type=checkbox]"));
      await chapter.sees("bob", "server 2 of 2");
      await chapter.connected("bob");
      await chapter.say("alice", "anyone there?");
      await chapter.sees("bob", "anyone there?");
      await chapter.say("bob", "I am here");
      await chapter.sees("alice", "I am here");
      await chapter.unfold("experiments");
      await chapter.press("Stop bob’s server");
      await chapter.sees("bob", "No connection to the server");
      await chapter.connected("alice");
      await chapter.close();
    });

    test("the reader changes the code, reloads the page, compares and goes back", async () => {
      const chapter = await (await open(4)).run();
      await chapter.write("chat/consumers.py", ["parse_message(frame)", "parse_message(frame).upper()"]);
      await chapter.restart(() => chapter.press("Run my code"));
      await chapter.say("alice", "quietly");
      await chapter.sees("bob", "QUIETLY");

      await chapter.page.reload();
      await chapter.run();
      await chapter.say("alice", "once more");
      await chapter.sees("bob", "ONCE MORE");
      await chapter.unfold("workshop");
      await chapter.page.waitForSelector(".cm-content");
      await chapter.press("What I changed");
      await until(async () => (await chapter.text(".comparison")).includes("parse_message(frame).upper()"));

      await chapter.restart(() => chapter.press("Back to the step’s code"));
      await chapter.say("alice", "quietly");
      await chapter.sees("bob", "quietly");
      await chapter.press("Undo");
      await chapter.press("What I changed");
      await until(async () => (await chapter.text(".comparison")).includes("parse_message(frame).upper()"));
      await chapter.press("Back to the step’s code");
      await chapter.close();
    });

    test("an error in the code is in the log, and the pages come back when it is corrected", async () => {
      const chapter = await (await open(3)).run();
      await chapter.write("chat/consumers.py", ["import json", "import jason"]);
      await chapter.press("Run my code");
      await chapter.reaches("failed");
      await chapter.logs("ModuleNotFoundError: No module named 'jason'");
      await chapter.restart(() => chapter.press("Back to the step’s code"));
      await chapter.say("alice", "here again");
      await chapter.sees("alice", "here again");
      await chapter.close();
    });

    for (const step of [3, 4, 5, 6]) {
      test(`step ${step}: each mistake shows its error, and the step works afterwards`, async () => {
        const chapter = await (await open(step)).run();
        const { mistakes } = await chapter.describe();
        assert.ok(mistakes.length);
        await chapter.unfold("workshop");
        await chapter.unfold("mistakes");
        for (const { title, says } of mistakes) {
          await chapter.press(title);
          await chapter.logs(`The log will say: ${says}`, ".workshop .note");
          await chapter.settles();
          await chapter.openSocket("alice");
          await chapter.sendFrame('{"message": "hi"}');
          await chapter.logs(says);
          await chapter.restart(() => chapter.press("Back to the step’s code"));
        }
        await chapter.say("alice", "all is well");
        await chapter.sees("alice", "all is well");
        await chapter.close();
      });
    }

    test("a mistake after going back brings nothing of the reader's code with it", async () => {
      const chapter = await (await open(4)).run();
      const { mistakes } = await chapter.describe();
      await chapter.write("chat/consumers.py", ["import json", "import json  # mine"]);
      await chapter.unfold("mistakes");
      for (const { title, says } of mistakes.slice(0, 2)) {
        await chapter.press(title);
        await chapter.logs(says, ".workshop .note");
        assert.match(await chapter.text(".comparison"), title === mistakes[0].title ? /mine/ : /^((?!mine)[^])*$/);
        await chapter.settles();
        await chapter.restart(() => chapter.press("Back to the step’s code"));
      }
      await chapter.close();
    });

    test("a socket of the reader's own gets errors, and nobody gets none", async () => {
      const chapter = await (await open(4)).run();
      await chapter.openSocket("alice");
      await chapter.logs("← 101 (open)", ".experiments pre");
      await chapter.sendFrame("no JSON");
      await chapter.logs('"code": "bad_json"', ".experiments pre");
      await chapter.sendFrame('{"message": "from the console"}');
      await chapter.sees("bob", "from the console");
      await chapter.openSocket("nobody");
      await chapter.logs("← closed (code 1006)", ".experiments pre");
      await chapter.close();
    });

    test("bob is signed out", async () => {
      const chapter = await (await open(4)).run();
      await chapter.connected("bob");
      await chapter.unfold("experiments");
      await chapter.press("Sign bob out");
      await chapter.sees("bob", "Reload the page.");
      await chapter.restart(() => chapter.press("New database"));
      await chapter.connected("bob");
      await chapter.close();
    });

    test("a server is stopped in the middle of a message, and started again", async () => {
      const chapter = await (await open(6)).run();
      await chapter.say("alice", "before");
      await chapter.sees("bob", "before");
      await chapter.say("alice", "in the middle");
      await chapter.press("Stop");
      await chapter.sees("bob", "No connection to the server");
      await chapter.press("Restart");
      await chapter.reaches("running");
      await chapter.connected("bob");
      await chapter.say("alice", "after");
      await chapter.sees("bob", "after");
      assert.ok((await chapter.in("bob", () => document.body.innerText)).includes("before"));
      await chapter.close();
    });

    test("an endless loop is stopped", async () => {
      const chapter = await (await open(4)).run();
      await chapter.write("chat/consumers.py", ["        event = {", "        while True:\n            pass\n        event = {"]);
      await chapter.restart(() => chapter.press("Run my code"));
      await chapter.say("alice", "never");
      await chapter.press("Stop");
      await chapter.reaches("ended");
      await chapter.restart(() => chapter.press("Back to the step’s code"));
      await chapter.say("alice", "at last");
      await chapter.sees("bob", "at last");
      await chapter.close();
    });

    test("500 messages arrive, in order", async () => {
      const chapter = await (await open(4)).run();
      await chapter.connected("bob");
      await chapter.say("alice", "number 0");
      await chapter.in("alice", () => {
        const form = document.querySelector("#chat form");
        for (let n = 1; n < 500; n++) {
          form.elements.message.value = `number ${n}`;
          form.requestSubmit();
        }
      });
      await chapter.sees("bob", "number 499");
      const texts = await chapter.in("bob", () =>
        [...document.querySelectorAll("#chat li bdi:nth-of-type(2)")].map((node) => node.textContent),
      );
      assert.deepEqual(texts, Array.from({ length: 500 }, (_, n) => `number ${n}`));
      await chapter.close();
    });

    test("two pages run a step each", async () => {
      const [one, two] = [await (await open(4)).run(), await (await open(5)).run()];
      await one.page.bringToFront();
      await one.say("alice", "in step 4");
      await one.sees("bob", "in step 4");
      await two.page.bringToFront();
      await two.say("alice", "in step 5");
      await two.sees("bob", "in step 5");
      assert.ok(!(await two.in("bob", () => document.body.innerText)).includes("in step 4"));
      await one.close();
      await two.close();
    });

    test("without a network it runs once it was loaded", async () => {
      const other = await serve();
      const chapter = await (await Chapter.open(browser, other, 4)).run();
      await chapter.connected("bob");
      await other.close();
      await chapter.page.reload();
      await chapter.run();
      await chapter.say("alice", "on a train");
      await chapter.sees("bob", "on a train");
      await chapter.close();
    });

    test("without a network, when it wasn't loaded, a sentence says so", async () => {
      const other = await serve();
      const chapter = await Chapter.open(browser, other, 4);
      await other.close();
      await chapter.click(".run-step .offer button");
      await chapter.obstacle("The panel can’t be loaded");
      await chapter.close();
    });

    test("where a tab can't run a step, a sentence says why", async () => {
      const chapter = await open(4);
      await chapter.page.evaluateOnNewDocument(() => {
        Object.defineProperty(Navigator.prototype, "serviceWorker", { value: undefined });
      });
      await chapter.page.reload();
      await chapter.obstacle("gives the page no service worker");
      await chapter.close();
    });

    test("in a page without https, a sentence says so", { skip: name !== "chrome" }, async () => {
      const elsewhere = { url: site.url.replace("127.0.0.1", "insecure.test") };
      const chapter = await Chapter.open(browser, elsewhere, 4);
      await chapter.obstacle("only in a page from https or localhost");
      await chapter.close();
    });

    test("the reader writes step 4, with a check, a hint, a solution and the tests", async () => {
      const chapter = await (await open(4)).run();
      const said = ".course pre";
      await chapter.unfold("workshop");
      await chapter.page.waitForSelector(".cm-content");
      await chapter.restart(() => chapter.click(".modes input[value=chapter]"));
      await chapter.say("alice", "an echo");
      await chapter.sees("alice", "an echo");
      assert.ok(!(await chapter.in("bob", () => document.body.innerText)).includes("an echo"));

      await chapter.press("Check");
      await chapter.logs("0 of 12 hunks", said);
      await chapter.press("Hint");
      await chapter.logs("(1 of 4; for more, press Hint again)", said);
      await chapter.write("chat/models.py", [
        "    def __str__",
        '    @property\n    def group_name(self):\n        return f"chat_room_{self.pk}"\n\n    def __str__',
      ]);
      await chapter.press("Check");
      await chapter.logs("1 of 12 hunks", said);
      await chapter.press("Next");
      await chapter.press("Compare with the finished step");
      await until(async () => (await chapter.text(".comparison")).includes("CHANNEL_LAYERS"));

      const { files } = await chapter.describe();
      for (const path of Object.keys(files).slice(2)) {
        await chapter.page.select(".workshop select", path);
        await chapter.press("Solve this file");
        await chapter.logs("The finished code is in place.", ".workshop .note");
        await chapter.press("Check"); // which empties the line above
        await chapter.logs("of 12 hunks", said);
      }
      await chapter.page.select(".workshop select", "mychannels/settings.py");
      await chapter.press("Solve this file");
      await chapter.logs("As in step04_groups_inmemory: mychannels/settings.py", said);
      await chapter.press("Run the tests");
      await chapter.logs("Step 4 is passed", said);
      await chapter.page.waitForSelector(".course a.primary[href$='step05.html']");
      await chapter.press("Take it home");
      await chapter.logs("make start 4 FROM=step04_groups_inmemory.zip", ".workshop .note");
      await chapter.restart(() => chapter.press("Run my code"));
      await chapter.say("alice", "hello, bob");
      await chapter.sees("bob", "hello, bob");
      await chapter.press("Begin again");
      await chapter.close();
    });

    for (const [width, scheme] of [[390, "dark"], [1280, "light"], [390, "light"], [1280, "dark"]]) {
      test(`the panel is accessible and fits, ${width} wide, ${scheme}`, async () => {
        const chapter = await (await open(5, { width, scheme })).run();
        await chapter.connected("alice");
        for (const name of ["workshop", "experiments", "mistakes"]) {
          await chapter.unfold(name);
        }
        await chapter.page.waitForSelector(".cm-content");
        await chapter.click(".modes input[value=chapter]");
        await chapter.press("Check");
        await chapter.logs("hunks", ".course pre");
        await chapter.press("Compare with the finished step");
        assert.deepEqual(await chapter.violations(), []);
        const shown = await chapter.page.$$eval("iframe[data-user]", (frames) =>
          frames.filter((frame) => frame.offsetWidth).map((frame) => frame.dataset.user),
        );
        assert.deepEqual(shown, width < 700 ? ["alice"] : ["alice", "bob"]);
        assert.ok((await chapter.page.evaluate(() => document.documentElement.scrollWidth)) <= width);
        await chapter.close();
      });
    }
  });
}
