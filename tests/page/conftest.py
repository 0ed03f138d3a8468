import pytest
from browser import Browser
from harness import PICTURES


@pytest.fixture(scope="session", name="browser")
def one_browser():
    PICTURES.mkdir(parents=True, exist_ok=True)
    browser = Browser()
    yield browser
    browser.close()
