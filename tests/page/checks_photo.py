"""Photos: their labels, however they arrive; outlines, names and shares; the network without its pyramid."""
import contextlib
import json
import struct

import numpy as np
import torch
import torch.nn.functional as F
from checks import LISTING1, page_of, png_of, run_line
from checks_still import assert_still, files_in_folder, places
from checks_wrong import PASTE
from harness import GOLDEN, PICTURES, ROOT, assert_close, golden_model

STREET, ALONE = (str(ROOT / f"configs/models/street{end}.json") for end in ("", "-without-pyramid"))
SAMPLE = ROOT / "configs/samples/street.jpg"
VOC = str(ROOT / "configs/models/voc-map.json")
CLASSES = "[...document.querySelectorAll('#classes button')].map(item => [item.children[1].textContent, " \
          "item.children[2].textContent, item.classList.contains('pointed')])"
CHOSEN_BY = ".stage, .knobs, .knobs *, .classes, .controls section, .controls :is(fieldset, .says), .controls .pairs *"
OUTLINED = "byId('outline').getContext('2d').getImageData(0, 0, byId('outline').width, byId('outline').height)" \
           ".data.reduce((sum, level, i) => sum + (i % 4 === 3 && level > 0), 0)"


def scene(h=96, w=128):
    """uint8 [h, w, 3]: a sky, a meadow, a road and a red box."""
    pixels = np.empty((h, w, 3), np.uint8)
    pixels[:] = 150, 195, 235
    pixels[h // 2:] = 150, 200, 95
    pixels[h // 2:, w // 4:3 * w // 4] = 92, 92, 100
    pixels[h * 5 // 8:h * 3 // 4, w * 3 // 8:w * 5 // 8] = 205, 50, 45
    return pixels


def labels_of(server, model, data, kind):
    """-> labels [H, W], {name: share}, as the server answers others."""
    status, text = server.ask(f"/ppm/{model}?labels=true", data, Content_Type=kind, Accept="application/json")
    assert status == 200, text
    answer = json.loads(text)
    return np.array(answer["labels"]), {entry["name"]: entry["share"] for entry in answer["classes"]}


def shown_labels(browser):
    """The map over the photo, [H, W]."""
    h, w, data = browser.run("[overlay.answer.map.h, overlay.answer.map.w, [...overlay.answer.map.data]]")
    return np.array(data).reshape(h, w)


@contextlib.contextmanager
def page_of_photos(browser, *others, arguments=()):
    """The page with street, its twin, and before them a model of tensors."""
    with page_of(browser, golden_model(LISTING1), STREET, ALONE, *others, arguments=arguments) as page:
        yield page


def place_in_photo(browser, y, x):
    """Scrolls to the photo, and returns a place in it, given as fractions."""
    return browser.run(f"""(() => {{
        byId('photo').scrollIntoView({{block: 'center'}});
        const box = byId('photo').getBoundingClientRect();
        return [box.left + {x} * box.width, box.top + {y} * box.height]; }})()""")


def test_a_photo_gets_labels(browser):
    """The page starts with the sample and a model that takes photos; labels, names and shares are the server's."""
    with page_of_photos(browser) as page:
        assert browser.run("[byId('model').value, state.name]") == ["street", "street"]
        labels, shares = labels_of(page.server, "street", SAMPLE.read_bytes(), "image/jpeg")
        assert np.array_equal(shown_labels(browser), labels)
        found = browser.run(CLASSES)
        assert [name for name, _, _ in found] == sorted(shares, key=shares.get, reverse=True), (found, shares)
        for name, text, _ in found:
            assert abs(float(text.split()[0]) / 100 - shares[name]) < 0.0006, (name, text, shares[name])
        # each label's color, where it is
        colors = {entry["name"]: entry["color"] for entry in page.server.describe("street")["config"]["classes"]}
        names = list(colors)
        for y, x in ((5, 5), (150, 100), (100, 100), (180, 20)):
            color = browser.run(f"[...byId('labels').getContext('2d').getImageData({x}, {y}, 1, 1).data]")
            assert color == [*colors[names[labels[y, x]]], 255], (y, x, color)
        browser.size(1280, 800)
        browser.screenshot(PICTURES / "photo.png", until="#input-section, #photo-section")
        browser.size(1280, 800)
        browser.scheme("dark")
        browser.screenshot(PICTURES / "photo-dark.png")
        browser.scheme("light")
        page.clean("Canvas2D")


def test_photos_arrive_in_every_way(browser):
    """Dropped, pasted, chosen: what the server gets is the file itself, and an upright photo is shown upright."""
    jpeg = SAMPLE.read_bytes()
    turned = jpeg[:2] + b"\xff\xe1" + struct.pack(">H", 34) + b"Exif\0\0MM\0*\0\0\0\x08" + \
        struct.pack(">HHHIHHI", 1, 0x0112, 3, 1, 6, 0, 0) + jpeg[2:]  # to be turned by 90 degrees
    png = png_of(scene())
    with files_in_folder() as write, page_of_photos(browser) as page:
        for data, name, kind in ((png, "scene.png", "image/png"), (turned, "turned.jpg", "image/jpeg")):
            browser.requests.clear()
            page.drop(write(name, data))
            assert page.errors() == {}, page.errors()
            labels, _ = labels_of(page.server, "street", data, kind)
            assert np.array_equal(shown_labels(browser), labels), name
            posted = [request for request in browser.requests if request["method"] == "POST"]
            assert posted and all(request["headers"]["Content-Type"] == kind for request in posted), posted
            assert browser.run("[byId('photo').height, byId('photo').width]") == list(labels.shape), name
            assert page.text("input-text").startswith(f"{name}: {labels.shape[1]} × {labels.shape[0]} pixels")
            assert "nothing is promised" in page.text("input-note"), page.text("input-note")
        assert labels.shape == (256, 192), labels.shape
        browser.run("(async () => { const blob = await (await fetch('page/street.jpg')).blob(); "
                    + PASTE.replace("[text]", "[blob]") + "([['pasted.jpg', '', 'image/jpeg']]); })()")
        browser.wait("state.name === 'pasted'", "the pasted photo")
        page.settle()
        assert page.errors() == {} and browser.run("state.photo.w") == 256
        # what the server does not read, the browser turns into a PNG
        browser.run("""(async () => {
            const canvas = new OffscreenCanvas(40, 30), context = canvas.getContext('2d');
            context.fillStyle = '#0f0';
            context.fillRect(0, 0, 40, 30);
            takeFiles([new File([await canvas.convertToBlob({type: 'image/webp'})], 'leaf.webp', {type: 'image/webp'})]);
        })()""")
        browser.wait("state.name === 'leaf'", "the converted photo")
        page.settle()
        assert page.errors() == {} and browser.run("state.photo.blob.type") == "image/png"
        page.source("sample")
        assert page.errors() == {} and browser.run("state.photo.file") == "street.jpg"
        page.clean()


def test_the_camera(browser):
    """The viewfinder takes a photo; a camera that is not allowed is one sentence."""
    with page_of_photos(browser) as page:
        page.source("image")
        browser.run("byId('camera').click()")
        browser.wait("byId('viewfinder').videoWidth > 0", "the camera's picture")
        assert browser.run("document.activeElement.id") == "shoot"
        browser.run("byId('camera-close').click()")
        assert browser.run("byId('camera-box').hidden && camera.stream === null")
        browser.run("byId('camera').click()")
        browser.wait("byId('viewfinder').videoWidth > 0", "the camera's picture")
        browser.run("byId('shoot').click()")
        browser.wait("state.name === 'camera'", "the shot")
        page.settle()
        assert page.errors() == {} and browser.run("camera.stream === null && state.photo.blob.type === 'image/jpeg'")
        assert browser.run("byId('image-file').files[0].name") == "camera.jpg"
        browser.run("navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('', 'NotAllowedError'))")
        browser.run("byId('camera').click()")
        browser.wait("!byId('error-input').hidden", "the refusal")
        assert page.errors()["error-input"] == "The camera: the browser does not allow it.", page.errors()
        page.clean()


def test_outlines_names_and_shares(browser):
    """Under the pointer, by keyboard and by touch, for regions and for classes; what is outlined is outlined alone."""
    with page_of_photos(browser) as page:
        labels, shares = labels_of(page.server, "street", SAMPLE.read_bytes(), "image/jpeg")
        names = [entry["name"] for entry in page.server.describe("street")["config"]["classes"]]
        assert browser.run(OUTLINED) == 0 and browser.run("byId('tip').hidden")
        browser.move(*place_in_photo(browser, 0.1, 0.1))
        browser.wait("!byId('tip').hidden", "the name")
        name = names[labels[19, 25]]
        assert page.text("tip").startswith(f"{name}: ") and page.text("tip").endswith("in all"), page.text("tip")
        assert abs(float(page.text("tip").split()[-4]) / 100 - shares[name]) < 0.0006, page.text("tip")
        assert browser.run(OUTLINED) > 100
        assert [pointed for found, _, pointed in browser.run(CLASSES) if found == name] == [True]
        browser.move(2, 2)
        browser.wait("byId('tip').hidden", "no name")
        assert browser.run(OUTLINED) == 0
        browser.run("byId('photo').focus()")
        for _ in range(30):
            browser.key("ArrowUp")
        assert page.text("tip").startswith(f"{names[labels[0, 128]]}: "), page.text("tip")
        assert browser.run("byId('tip').getAttribute('aria-live')") == "polite"
        browser.key("Escape")
        assert browser.run("byId('tip').hidden") and browser.run(OUTLINED) == 0
        # two regions of one class are told apart
        x, y = place_in_photo(browser, 0.93, 0.07)
        browser.ask("Input.dispatchTouchEvent", type="touchStart", touchPoints=[{"x": x, "y": y}])
        browser.ask("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])
        browser.wait("!byId('tip').hidden", "the name under the finger")
        here, all_of = (float(part.split()[0]) for part in page.text("tip").split(": ")[1].split(", "))
        assert here < all_of, page.text("tip")
        # a class: while its button has the focus, and after a click on it until the next
        browser.run("document.querySelector('#classes button').focus()")
        most = browser.run(OUTLINED)
        assert most > 100
        browser.key("Enter")
        browser.run("document.activeElement.blur()")
        assert browser.run(OUTLINED) == most
        assert browser.run("document.querySelector('#classes button').getAttribute('aria-pressed')") == "true"
        browser.run("document.querySelector('#classes button').click()")
        browser.run("pointAtPhoto(null)")
        assert browser.run(OUTLINED) == 0
        page.clean("Canvas2D")


def test_outlines_are_of_pixels(browser):
    """An outline follows the edges of the pixels of a class or region, and nothing else."""
    with page_of_photos(browser) as page:
        found = browser.run("""(() => {
            const map = {h: 4, w: 5, data: [1, 1, 0, 0, 1,  1, 1, 0, 0, 1,  0, 0, 0, 0, 0,  2, 0, 1, 0, 0]};
            const regions = regionsOf({...map, data: Uint8Array.from(map.data)});
            const paint = (plane, value) => {
                const canvas = new OffscreenCanvas(60, 50);
                const context = canvas.getContext('2d', {willReadFrequently: true});
                const path = new Path2D();
                path.addPath(outlineOf(plane, value), new DOMMatrix([10, 0, 0, 10, 5, 5]));
                context.lineWidth = 2;
                context.stroke(path);
                return (y, x) => context.getImageData(5 + x, 5 + y, 1, 1).data[3] > 0;
            };
            const one = paint(map, 1), first = paint(regions, regions.data[0]);
            return [[...regions.counts].sort(), one(0, 10), one(10, 20), one(10, 5), one(30, 25), one(10, 40),
                    first(10, 20), first(30, 25), first(10, 40)]; })()""")
        assert found == [[1, 1, 12, 2, 4], True, True, False, True, True, True, False, False], found
        runs = browser.run("[...readLabels({size: [2, 3], classes: [{id: 4, share: 1, segmentation: {counts: [1, 2, 3]}}, "
                           "{id: 7, share: 1, segmentation: {counts: [0, 1, 2, 3]}}]}).map.data]")
        assert runs == [7, 4, 7, 4, 7, 7], runs
        page.clean()


def test_opacity(browser):
    """The slider sets how much of the photo is seen, and the saved picture has it."""
    with page_of_photos(browser) as page:
        for opacity in (0, 100):
            browser.run(f"byId('opacity').value = {opacity}; byId('opacity').dispatchEvent(new Event('input'))")
            assert float(browser.run("getComputedStyle(byId('labels')).opacity")) == opacity / 100
        png = page.saved("Save the photo with its labels as PNG", "street-labels.png")
        assert struct.unpack(">II", png[16:24]) == (256, 192)
        browser.run("byId('opacity').focus()")
        browser.key("ArrowLeft")
        assert browser.run("byId('opacity').value") == "99"
        page.clean()


def test_without_its_pyramid(browser):
    """The switch shows the twin's labels over the same photo, and says how many pixels differ."""
    with page_of_photos(browser) as page:
        own, _ = labels_of(page.server, "street", SAMPLE.read_bytes(), "image/jpeg")
        twin, _ = labels_of(page.server, "street-without-pyramid", SAMPLE.read_bytes(), "image/jpeg")
        differ = 100 * (own != twin).mean()
        assert differ > 10, "the sample is there to show this"
        before = places(browser, CHOSEN_BY)
        browser.run("byId('without').click()")
        page.settle()
        assert np.array_equal(shown_labels(browser), twin)
        assert f"{differ:.1f} % of the pixels" in page.text("photo-says"), page.text("photo-says")
        assert page.text("status").startswith("Computed by street-without-pyramid"), page.text("status")
        assert "map, channel 0" in page.labels() and browser.run("state.model.name") == "street"
        assert_still(browser, before, "the switch", CHOSEN_BY)
        browser.requests.clear()
        browser.run("byId('without').click()")
        page.settle()
        assert np.array_equal(shown_labels(browser), own)
        assert not [request for request in browser.requests if request["method"] == "POST"], "they were known"
        page.choose("model", "street-without-pyramid")
        assert not browser.run("byId('without-box').checkVisibility()")
        assert not browser.run("byId('rows-section').checkVisibility()") and "no pyramid" in page.text("model-text")
        page.clean()
    with page_of(browser, STREET) as page:
        assert page.errors() == {} and not browser.run("byId('without-box').checkVisibility()")
        page.clean()


def test_the_pyramid_of_a_photo(browser):
    """The map that comes in, its averages and their stretched maps are of this photo, by PyTorch; y follows."""
    with files_in_folder() as write, page_of_photos(browser) as page:
        page.drop(write("scene.png", png_of(scene())))
        assert page.errors() == {}, page.errors()
        x = page.saved_tensor("map, channel 0", "scene-map")[None]
        assert x.shape == (1, 96, 12, 16) and x.std() > 0, x.shape
        for branch, size in enumerate((1, 2, 3, 6)):
            expected = F.adaptive_avg_pool2d(torch.from_numpy(x), size).numpy()
            found = browser.run(f"[...stageOf(state.pyramid, state.stages, {branch}, 'pooled').data]")
            assert_close(np.array(found, np.float32).reshape(expected.shape), expected, f"bin {size}")
        output = page.saved_tensor("6×6 branch output, channel 0", "scene-branch3-output")[None]
        expected = F.interpolate(torch.from_numpy(output), x.shape[2:], mode="bilinear", align_corners=True).numpy()
        found = page.saved_tensor("6×6 stretched back, channel 0", "scene-branch3-upsampled")[None]
        assert_close(found, expected, "stretched")
        assert "96 + 48 + 48 + 48 + 48 = 288 channels" in page.text("stack-says"), page.text("stack-says")
        assert "conv 3x3 288 → 96" in page.text("head-says"), page.text("head-says")
        assert browser.run("[...document.querySelectorAll('#grid .title')].map(at => at.textContent)")[:3] == \
            ["sky", "building", "road"]
        page.clean()


def test_tensors_of_networks(browser):
    """A network takes a .npy too: what comes in, its pyramid, and the map of labels with its names."""
    x = np.ascontiguousarray(scene().transpose(2, 0, 1)[None].astype("<f4") / 255)
    with files_in_folder() as write, page_of_photos(browser) as page:
        page.drop(write("scene.npy", x))
        assert page.errors() == {}, page.errors()
        labels = np.frombuffer(page.server.ask("/ppm/street?shape=1,3,96,128", x.tobytes(), Content_Type="application/octet-stream",
                                               Accept="application/octet-stream")[1], "<i4").reshape(1, 1, 96, 128)
        assert np.array_equal(page.saved_tensor("labels", "scene-labels"), labels)
        names = [entry["name"] for entry in page.server.describe("street")["config"]["classes"]]
        assert page.value_at("labels", 3, 5, 96, 128) == f"3, 5: {names[labels[0, 0, 3, 5]]}"
        assert {"x, channel 0", "map, channel 0", "3×3 averages"} <= set(page.labels()), page.labels()
        assert not browser.run("byId('photo-section').checkVisibility()")
        page.source("sample")
        assert page.errors() == {} and browser.run("byId('photo-section').checkVisibility()")
        page.clean()


def test_models_without_labels(browser):
    """Of a network that answers probabilities, the channels are shown, and the photo says why it has no labels."""
    config = json.loads((ROOT / "configs/models/street.json").read_text())
    config["output"]["as"], config["name"] = "softmax", "chances"
    config["weights"]["file"] = str(ROOT / "configs/models/street.safetensors")
    with files_in_folder() as write, \
            page_of_photos(browser, str(write("chances.json", json.dumps(config).encode()))) as page:
        page.choose("model", "chances")
        assert page.errors() == {}, page.errors()
        assert "answers no labels" in page.text("photo-says") and browser.run(CLASSES) == []
        assert browser.run("document.querySelectorAll('#grid figure').length") == 9
        page.choose("model", "street")
        assert page.errors() == {} and len(browser.run(CLASSES)) > 3
        page.clean()


def test_large_photos(browser):
    """They are scaled down on the screen, not in the request; their pyramid waits for a click."""
    png = png_of(np.kron(scene(), np.ones((17, 20, 1), np.uint8)))  # 1632 x 2560
    with files_in_folder() as write, page_of_photos(browser) as page:
        page.drop(write("large.png", png))
        assert page.errors() == {}, page.errors()
        assert browser.run("[state.photo.h, state.photo.w, overlay.answer.map.h, overlay.answer.map.w]") == \
            [1632, 2560, 1632, 2560]
        assert browser.run("Math.max(byId('photo').width, byId('labels').width) <= photoSideMax")
        assert browser.run("byId('want-stages').checkVisibility({checkVisibilityCSS: true})")
        assert page.text("stages-bytes").endswith("MB"), page.text("stages-bytes")
        assert not browser.run("byId('rows-section').checkVisibility({checkVisibilityCSS: true})")
        browser.run("byId('want-stages').click()")
        page.settle()
        assert page.errors() == {} and browser.run("sizesOf(state.pyramid.x).w") == 320
        assert browser.run("byId('rows-section').checkVisibility({checkVisibilityCSS: true})")
        page.clean()


def test_refused_photos(browser):
    """The server's sentence stands at the input; the photo is shown, and nothing of the one before."""
    small = "--image-pixels-max", "60000"
    with files_in_folder() as write, page_of_photos(browser, arguments=small) as page:
        large = png_of(np.zeros((300, 400, 3), np.uint8))
        cut = SAMPLE.read_bytes()[:3000]
        for name, kind, data in (("large.png", "image/png", large), ("cut.jpg", "image/jpeg", cut),
                                 ("none.jpg", "image/jpeg", b"no such thing")):
            page.source("sample")
            assert page.errors() == {} and browser.run(CLASSES), page.errors()
            expected = json.loads(page.server.ask("/ppm/street?labels=rle", data, Content_Type=kind,
                                                  Accept="application/json")[1])["detail"]
            page.drop(write(name, data))
            assert page.errors() == {"error-input": expected}, (name, page.errors())
            assert browser.run(CLASSES) == [] and page.text("photo-says") == "", name
            assert browser.run("overlay.photo.file") == name and "street.jpg" not in page.text("controls")
            assert not browser.run("byId('rows-section').checkVisibility({checkVisibilityCSS: true})"), name
        page.source("sample")
        browser.answer_next("*stages=1*", 422, json.dumps({"detail": "a pyramid of tiles has no pictures"}).encode())
        browser.run("byId('again').click()")
        page.settle()
        assert page.errors() == {"error-stages": "a pyramid of tiles has no pictures"}, page.errors()
        assert browser.run("byId('error-stages').checkVisibility({checkVisibilityCSS: true})") and browser.run(CLASSES)
        page.clean("status of 4")


def test_times_are_those_of_ordinary_requests(browser):
    """The literal graph's time stands apart, and is called so."""
    with page_of_photos(browser) as page:
        browser.run("(() => { window.told = []; const real = fetch; fetch = async (path, options) => { "
                    "const answer = await real(path, options); if (options.method === 'POST') told.push([path, "
                    "readServerTiming(answer.headers.get('Server-Timing')).compute]); return answer; }; })()")
        browser.run("byId('again').click()")
        page.settle()
        told = browser.run("told")
        ordinary = [ms for path, ms in told if path == "ppm/street?labels=rle"]
        assert len(told) == len(ordinary) + 1 and told[-1][0] == "ppm/street?stages=1", told
        shown = browser.run("Number([...byId('times').children][2].children[2].textContent.split(' ')[0])")
        assert shown == sorted(ordinary)[(len(ordinary) - 1) // 2], (shown, told)
        assert browser.run("byId('stages').textContent").count("literal graph") == 1
        assert browser.run("byId('stages').closest('div').querySelector('h3').textContent") == "With the literal graph"
        page.clean()


def test_curl_sends_the_photo(browser):
    """The pasted line answers the labels as a PNG."""
    with page_of_photos(browser) as page:
        line = browser.run("byId('curl').value")
        png = run_line(line)["labels.png"]
        assert png == page.server.ask("/ppm/street", SAMPLE.read_bytes(), Content_Type="image/jpeg",
                                      Accept="image/png")[1] and png[:4] == b"\x89PNG"
        assert "stages" not in line and not browser.run("byId('curl-y-box').checkVisibility()")
        page.clean()


def test_photos_move_nothing(browser):
    """Another photo, of another shape, a refused one and a switch leave every control where it was."""
    with files_in_folder() as write, page_of_photos(browser) as page:
        for width in (1280, 800, 390, 320):
            browser.size(width, 844, 1, width < 700)
            browser.open(page.server.url + "/")
            page.settle()
            wide = browser.run("document.documentElement.scrollWidth")
            assert wide <= width, f"{wide} pixels wide at {width}"
            before = places(browser, CHOSEN_BY)
            for act in (lambda: page.drop(write("tall.png", png_of(scene(200, 40)))),
                        lambda: page.drop(write("wide.png", png_of(scene(40, 300)))),
                        lambda: page.drop(write("bad.jpg", b"none")),
                        lambda: (browser.run("byId('without').click()"), page.source("sample"))):
                act()
                assert_still(browser, before, f"{width}: {page.errors()}", CHOSEN_BY)
        page.clean("status of 4")


def test_first_sight(browser):
    """On a phone the first screen has two sentences, the picture and its controls; the documents can be read."""
    with page_of_photos(browser, VOC) as page:
        browser.size(390, 844, 2, True)
        browser.open(page.server.url + "/")
        page.settle()
        for part in ("h1", ".lead", "#photo", "#opacity", "#without", "#classes button"):
            bottom = browser.run(f"document.querySelector('{part}').getBoundingClientRect().bottom")
            assert 0 < bottom <= 844, (part, bottom)
        lead = " ".join(browser.run("document.querySelector('.lead').textContent").split())
        assert lead.count(". ") == 1 and lead.endswith("."), lead
        links = browser.run("[...document.querySelectorAll('.docs a')].map(link => link.getAttribute('href'))")
        assert len(links) >= 3
        for link in links:
            status, text = page.server.ask(f"/{link}")
            assert status == 200 and text.startswith(b"# "), link
        assert not browser.run("byId('up').checkVisibility()")
        browser.run("byId('grid').scrollIntoView()")
        browser.wait("byId('up').checkVisibility()", "a way back to the controls")
        browser.run("scrollTo(0, 0)")
        browser.screenshot(PICTURES / "photo-phone.png")
        assert not browser.run("byId('model-note').checkVisibility()")
        page.choose("model", "voc-map")
        assert "random" in page.text("model-note"), page.text("model-note")
        page.clean()


def test_a_key_is_asked_for_where_the_photo_will_be(browser):
    """On a phone's first screen, in one line, and gone once it is right."""
    with files_in_folder() as write:
        keys = write("keys", b"secret-0123456789abcdef\n")
        keys.chmod(0o600)
        with page_of_photos(browser, arguments=("--keys-file", str(keys))) as page:
            browser.size(390, 844, 2, True)
            browser.open(page.server.url + "/")
            page.settle()
            box = browser.run("[...['top', 'bottom']].map(side => byId('key').getBoundingClientRect()[side])")
            assert 0 < box[0] and box[1] < 844 and page.errors() == {}, (box, page.errors())
            browser.screenshot(PICTURES / "key-phone.png", until=".top")
            page.choose("key", "secret-0123456789abcdef")
            assert page.errors() == {} and browser.run(CLASSES) and not browser.run("byId('key').checkVisibility()")
            page.clean("status of 401")


def test_controls_of_photos_have_names(browser):
    """Everything that the keyboard reaches has a name."""
    with page_of_photos(browser) as page:
        for source in ("sample", "image", "npy"):
            page.source(source)
            unnamed = [role for role, name in browser.controls() if not name.strip() and role not in ("RootWebArea", "main")]
            assert not unnamed, (source, unnamed)
        controls = browser.controls()
        assert ["slider", "Opacity of the labels"] in controls and ["switch", "without its pyramid"] in controls, controls
        page.clean()
