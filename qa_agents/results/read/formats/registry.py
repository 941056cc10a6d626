"""Every format that is read, in the order they are asked whether a file is theirs."""

from qa_agents.results.read.formats import allure, coverage_text, coverage_xml, nunit, pytest_json
from qa_agents.results.read.formats.android import ANDROID
from qa_agents.results.read.formats.bazel import BAZEL
from qa_agents.results.read.formats.ctest import CTEST
from qa_agents.results.read.formats.cucumber import CUCUMBER
from qa_agents.results.read.formats.dart import DART
from qa_agents.results.read.formats.evals import EVAL_LIST, EVALS
from qa_agents.results.read.formats.failsafe import FAILSAFE
from qa_agents.results.read.formats.go_json import GO_TEST
from qa_agents.results.read.formats.jenkins import JENKINS
from qa_agents.results.read.formats.jest import JEST
from qa_agents.results.read.formats.junit import JUNIT
from qa_agents.results.read.formats.mocha import MOCHA, MOCHAWESOME
from qa_agents.results.read.formats.playwright import PLAYWRIGHT
from qa_agents.results.read.formats.robot import ROBOT
from qa_agents.results.read.formats.shapes import Format, JsonFormat, LinesFormat, TextFormat, XmlFormat
from qa_agents.results.read.formats.tap import TAP
from qa_agents.results.read.formats.trx import TRX
from qa_agents.results.read.formats.xunit import XUNIT

XML_FORMATS: tuple[XmlFormat, ...] = (
    JUNIT,
    allure.ALLURE_1_XML,
    allure.ALLURE_ENVIRONMENT,
    nunit.NUNIT_3,
    nunit.NUNIT_2,
    XUNIT,
    TRX,
    JENKINS,
    ROBOT,
    CTEST,
    ANDROID,
    FAILSAFE,
    coverage_xml.CLOVER,
    coverage_xml.COBERTURA,
    coverage_xml.JACOCO,
    coverage_xml.OPENCOVER,
)
JSON_FORMATS: tuple[JsonFormat, ...] = (
    pytest_json.PYTEST_JSON_REPORT,
    PLAYWRIGHT,
    JEST,
    MOCHA,
    MOCHAWESOME,
    CUCUMBER,
    allure.ALLURE_1,
    allure.ALLURE_2,
    *allure.ALLURE_SIDE_FILES,
    EVAL_LIST,
)
LINES_FORMATS: tuple[LinesFormat, ...] = (pytest_json.PYTEST_REPORTLOG, DART, BAZEL, GO_TEST, EVALS)
TEXT_FORMATS: tuple[TextFormat, ...] = (coverage_text.GO_PROFILE, coverage_text.LCOV, TAP)


def flavours() -> tuple[str, ...]:
    """What can be read, by name."""
    formats: tuple[Format, ...] = (*XML_FORMATS, *JSON_FORMATS, *LINES_FORMATS, *TEXT_FORMATS)
    return tuple(dict.fromkeys(one.flavour for one in formats))
