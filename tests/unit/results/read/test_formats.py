# ruff: noqa: E501 - the files that are read have lines as long as they like
"""What each format says of its tests, on small texts as the tools write them."""

from collections.abc import Callable
from pathlib import Path

import pytest

from qa_agents.results.read import read_run
from qa_agents.results.schema import Run, TestResult

Read = Callable[..., Run]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Reads texts, each as a file of its own whose name says nothing."""

    def _read(*texts: str | bytes) -> Run:
        for number, text in enumerate(texts):
            body = text if isinstance(text, bytes) else text.encode()
            (tmp_path / f"{number}").write_bytes(body)
        return read_run([str(tmp_path / f"{number}") for number in range(len(texts))])

    return _read


def outcomes(run: Run) -> dict[str, str]:
    return {result.test_id: result.outcome for result in run.results}


def only(run: Run) -> TestResult:
    (result,) = run.results
    return result


def test_junit_says_class_name_time_and_why_it_failed(read: Read) -> None:
    run = read("""<testsuites><testsuite name="s" timestamp="2026-03-01T12:00:00" tests="4">
      <testcase classname="a.B" name="ok" time="0.5" file="b.py" line="7"><properties><property name="req" value="R1"/></properties></testcase>
      <testcase classname="a.B" name="bad" time="1,234.5"><failure message="no" type="E">trace</failure></testcase>
      <testcase name="broke"><error type="IOError"/></testcase>
      <testcase name="not run"><skipped message="on Windows"/></testcase></testsuite></testsuites>""")
    assert run.files[0].flavour == "JUnit XML"
    assert run.info.at is not None
    assert run.info.at.isoformat() == "2026-03-01T12:00:00+00:00"
    ok, bad, broke, skipped = run.results
    assert (ok.test_id, ok.outcome, ok.seconds, ok.file, ok.line, ok.tags) == (
        "a.B::ok",
        "passed",
        0.5,
        "b.py",
        7,
        ("req:R1",),
    )
    assert (bad.outcome, bad.message, bad.details, bad.seconds) == ("failed", "no", "trace", 1234.5)
    assert (broke.test_id, broke.outcome, broke.message) == ("s::broke", "error", "IOError")
    assert (skipped.outcome, skipped.message) == ("skipped", "on Windows")


def test_surefire_reruns_are_attempts_of_one_test(read: Read) -> None:
    run = read("""<testsuite name="s" tests="3" failures="3">
      <testcase name="flaky"><flakyFailure message="m"/><flakyError message="m"/></testcase>
      <testcase name="never"><failure message="m"/><rerunFailure message="m"/></testcase></testsuite>""")
    flaky, never = run.results
    assert (flaky.outcome, flaky.attempts, flaky.is_inconsistent) == ("passed", ("failed", "error", "passed"), True)
    assert (never.outcome, never.attempts) == ("failed", ("failed", "failed"))


def test_a_suite_that_broke_without_a_test_to_show_it_is_a_result_of_its_own(read: Read) -> None:
    run = read('<testsuite name="s" errors="1" tests="1"><error message="no class">trace</error></testsuite>')
    assert outcomes(run) == {"s::(the suite itself)": "error"}
    run = read('<testsuite name="s" failures="2" tests="2"/>')
    assert "declares 2 failures" in only(run).message
    assert run.files[0].notes == ('The suite "s" declares 2 tests and holds 0.',)


def test_projects_of_playwright_are_told_apart_in_both_of_its_formats(read: Read) -> None:
    xml = read("""<testsuites id="" name="" tests="2" skipped="0">
      <testsuite name="a.spec.ts" hostname="firefox"><testcase name="t" classname="a.spec.ts"/></testsuite>
      <testsuite name="a.spec.ts" hostname="webkit"><testcase name="t" classname="a.spec.ts"/></testsuite></testsuites>""")
    json = read("""{"config": {}, "suites": [{"title": "a.spec.ts", "specs": [{"title": "t", "file": "a.spec.ts", "tests": [
      {"projectName": "firefox", "status": "flaky", "results": [{"status": "failed"}, {"status": "passed", "duration": 20}]},
      {"projectName": "webkit", "status": "unexpected", "results": [{"status": "timedOut", "error": {"message": "late"}}]}]}]}]}""")
    assert list(outcomes(xml)) == ["a.spec.ts::t [firefox]", "a.spec.ts::t [webkit]"]
    firefox, webkit = json.results
    assert (firefox.test_id, firefox.attempts, firefox.seconds) == (
        "a.spec.ts::t [firefox]",
        ("failed", "passed"),
        0.02,
    )
    assert (webkit.outcome, webkit.message) == ("error", "late")


def test_nunit_2_and_3_are_read_with_names_that_hold_dots_in_parameters(read: Read) -> None:
    two = read("""<test-results><test-suite name="x"><results>
      <test-case name='N.C.M("a.b")' executed="True" success="True" time="0.1"/>
      <test-case name="N.C.Old" executed="True"><failure><message>no</message></failure></test-case>
      <test-case name="N.C.Not" executed="False"><reason><message>why</message></reason></test-case>
      </results></test-suite></test-results>""")
    assert outcomes(two) == {'N.C::M("a.b")': "passed", "N.C::Old": "failed", "N.C::Not": "skipped"}
    three = read("""<test-run result="Failed"><test-suite classname="N.C"><test-case name="M" fullname="N.C.M" result="Failed"
      label="Error" duration="0.25"><failure><message>no</message><stack-trace>at</stack-trace></failure></test-case>
      </test-suite></test-run>""")
    assert (only(three).test_id, only(three).outcome, only(three).details) == ("N.C::M", "error", "at")


def test_xunit_net_reports_errors_outside_of_tests_too(read: Read) -> None:
    run = read("""<assemblies><assembly name="a.dll"><errors><error type="fixture-cleanup" name="F"><failure><message>m</message>
      </failure></error></errors><collection><test name="N.C.T" type="N.C" result="Skip"><reason>why</reason></test>
      </collection></assembly></assemblies>""")
    assert outcomes(run) == {"F::(fixture-cleanup)": "error", "N.C::T": "skipped"}


def test_trx_takes_classes_from_the_definitions_behind_the_results(read: Read) -> None:
    run = read("""<TestRun xmlns="http://microsoft.com/schemas/VisualStudio/TeamTest/2010"><Results>
      <UnitTestResult testId="1" testName="N.C.T" outcome="Failed" duration="00:01:02.5000000"><Output><ErrorInfo>
      <Message>m</Message><StackTrace>s</StackTrace></ErrorInfo></Output></UnitTestResult>
      <UnitTestResult testId="2" testName="D" outcome="Failed"><InnerResults><UnitTestResult testId="2" testName="D (1)"
      outcome="Passed"/><UnitTestResult testId="2" testName="D (2)" outcome="Timeout"/></InnerResults></UnitTestResult>
      </Results><TestDefinitions><UnitTest id="1"><TestMethod className="N.C, asm" name="T"/></UnitTest></TestDefinitions>
      </TestRun>""")
    assert outcomes(run) == {"N.C::T": "failed", "D (1)": "passed", "D (2)": "error"}
    assert run.results[0].seconds == 62.5


def test_robot_ctest_jenkins_and_android_are_read(read: Read) -> None:
    run = read(
        """<robot><suite name="A"><suite name="B"><test name="t"><status status="FAIL" elapsed="0.5">0 != 1</status></test>
        </suite></suite></robot>""",
        """<Site><Testing><TestList><Test>./t</Test></TestList><Test Status="failed"><Name>t</Name><Path>./d</Path><Results>
        <NamedMeasurement name="Exit Code"><Value>Timeout</Value></NamedMeasurement></Results></Test></Testing></Site>""",
        """<result><suites><suite><cases><case><className>C</className><testName>t</testName><skipped>false</skipped>
        <errorDetails>no</errorDetails></case></cases></suite></suites></result>""",
        """<Result suite_name="CTS"><Module name="M"><TestCase name="K"><Test result="fail" name="t"><Failure message="no"/>
        </Test></TestCase></Module></Result>""",
    )
    assert outcomes(run) == {"A.B::t": "failed", "d::t": "error", "C::t": "failed", "M K::t": "failed"}
    assert [result.message for result in run.results] == ["0 != 1", "Timeout", "no", "no"]


def test_tries_of_one_allure_test_in_several_files_are_one_result(read: Read) -> None:
    run = read(
        '{"name": "t", "historyId": "h", "status": "passed", "start": 2000, "stop": 2500, "fullName": "C.t"}',
        '{"name": "t", "historyId": "h", "status": "broken", "start": 1000, "stop": 1100, "fullName": "C.t"}',
    )
    assert (only(run).outcome, only(run).attempts, only(run).seconds) == ("passed", ("error", "passed"), 0.5)
    assert only(run).test_id == "C::t"


def test_a_status_that_no_format_knows_never_counts_as_passed(read: Read) -> None:
    run = read('{"name": "t", "status": "great", "uuid": "1"}')
    assert only(run).outcome == "skipped"
    assert 'the status "great"' in run.files[0].notes[0]


def test_tap_knows_todo_skip_details_bail_out_and_missing_tests(read: Read) -> None:
    run = read("""TAP version 14
1..6
ok 1 - fine # time=250ms
not ok 2 - bad
  ---
  message: no
  at: t.js:1
  ...
not ok 3 - later # TODO soon
ok 4 - not here # SKIP windows
    ok 1 - inner
ok 5 - outer
""")
    assert outcomes(run) == {
        "fine": "passed",
        "bad": "failed",
        "later": "skipped",
        "not here": "skipped",
        "outer": "passed",
        "(the suite itself)": "error",
    }
    assert run.results[0].seconds == 0.25
    assert run.results[1].message == "no"
    assert run.results[-1].message == "6 tests were planned and 5 reported: 1 did not."
    assert outcomes(read("1..2\nok 1\nBail out! disk full\n"))["(bail out)"] == "error"


def test_a_log_with_ok_in_it_is_not_taken_for_tap(read: Read) -> None:
    for log in ("ok  \tgithub.com/x/y\t0.015s\n", "ok\nall fine\n", "ok then, 1..2 go\n"):
        with pytest.raises(Exception, match="not in a result format"):
            read(log)


def test_a_cucumber_background_counts_for_the_scenario_behind_it(read: Read) -> None:
    run = read("""[{"uri": "f.feature", "name": "F", "elements": [
      {"type": "background", "steps": [{"name": "b", "result": {"status": "failed", "duration": 1000000000, "error_message": "no"}}]},
      {"type": "scenario", "name": "S", "line": 3, "steps": [{"name": "s", "result": {"status": "skipped"}}]},
      {"type": "scenario", "name": "O", "line": 5, "steps": [{"name": "s", "keyword": "Given ", "result": {"status": "undefined"}}]},
      {"type": "scenario", "name": "O", "line": 6, "steps": [{"name": "s", "result": {"status": "passed"}}]}]}]""")
    assert outcomes(run) == {"F::S": "failed", "F::O (example 1)": "error", "F::O (example 2)": "passed"}
    assert run.results[0].seconds == 1.0
    assert run.results[1].message == "Given s: undefined"


def test_javascript_runners_are_read(read: Read) -> None:
    run = read(
        """{"stats": {}, "tests": [{"title": "a", "fullTitle": "S a", "err": {}, "currentRetry": 1, "duration": 5},
        {"title": "b", "fullTitle": "S b", "err": {"message": "no"}}, {"title": "c", "fullTitle": "S c", "err": {}}],
        "pending": [{"title": "c", "fullTitle": "S c"}]}""",
        """{"testResults": [{"name": "x.test.js", "status": "failed", "message": "cannot load", "assertionResults": []},
        {"name": "y.test.js", "status": "passed", "assertionResults": [{"title": "t", "ancestorTitles": ["D"], "status": "passed"}]}]}""",
        """{"stats": {}, "results": [{"file": "z.cy.js", "suites": [{"tests": [{"title": "q", "fullTitle": "S q", "state": "failed",
        "err": {"message": "no"}}]}]}]}""",
    )
    assert outcomes(run) == {
        "S::a": "passed",
        "S::b": "failed",
        "S::c": "skipped",
        "x.test.js::(the suite itself)": "error",
        "D::t": "passed",
        "S::q": "failed",
    }
    assert run.results[0].attempts == ("failed", "passed")


def test_both_json_formats_of_pytest_are_read(read: Read) -> None:
    run = read(
        """{"exitcode": 1, "created": 1548185151.2, "collectors": [{"nodeid": "t/bad.py", "outcome": "failed", "longrepr": "E  boom"}],
        "tests": [{"nodeid": "t/a.py::C::t[x::y]", "outcome": "xfailed", "call": {"duration": 0.5, "outcome": "skipped"}},
        {"nodeid": "t/a.py::u", "outcome": "failed", "call": {"outcome": "failed", "crash": {"message": "no"}, "longrepr": "trace"}}]}""",
        """{"$report_type": "SessionStart"}
{"$report_type": "TestReport", "nodeid": "l.py::t", "when": "setup", "outcome": "passed"}
{"$report_type": "TestReport", "nodeid": "l.py::t", "when": "call", "outcome": "rerun"}
{"$report_type": "TestReport", "nodeid": "l.py::t", "when": "call", "outcome": "passed", "duration": 1.5}
{"$report_type": "TestReport", "nodeid": "l.py::t", "when": "teardown", "outcome": "passed"}
{"$report_type": "TestReport", "nodeid": "l.py::u", "when": "setup", "outcome": "passed"}
""",
    )
    assert outcomes(run) == {
        "t/bad.py::(collection)": "error",
        "t/a.py::C::t[x::y]": "skipped",
        "t/a.py::u": "failed",
        "l.py::t": "passed",
        "l.py::u": "error",
    }
    assert run.results[3].attempts == ("failed", "passed")
    assert run.results[4].message == "The file ends inside this test, so its outcome is not known."


def test_event_streams_name_what_began_and_never_ended(read: Read) -> None:
    run = read(
        """{"Action":"run","Package":"p","Test":"A"}
{"Action":"output","Package":"p","Test":"A","Output":"    a_test.go:3: no\\n"}
{"Action":"fail","Package":"p","Test":"A","Elapsed":0.5}
{"Action":"run","Package":"p","Test":"B"}
{"Action":"fail","Package":"p"}
{"Action":"fail","Package":"q"}
""",
        """{"protocolVersion":"0.1.1","type":"start"}
{"suite":{"id":0,"path":"x_test.dart"},"type":"suite"}
{"test":{"id":1,"name":"loading","suiteID":0},"type":"testStart","time":1}
{"testID":1,"result":"success","hidden":true,"type":"testDone","time":2}
{"test":{"id":2,"name":"t","suiteID":0},"type":"testStart","time":10}
{"testID":2,"error":"no","stackTrace":"at","type":"error"}
{"testID":2,"result":"failure","hidden":false,"skipped":false,"type":"testDone","time":30}
{"test":{"id":3,"name":"hangs","suiteID":0},"type":"testStart","time":40}
""",
        """{"id":{"started":{}},"started":{"startTimeMillis":"1621841949774"}}
{"id":{"testResult":{"label":"//a","run":1,"shard":1,"attempt":1}},"testResult":{"status":"FAILED"}}
{"id":{"testResult":{"label":"//a","run":1,"shard":1,"attempt":2}},"testResult":{"status":"PASSED","testAttemptDurationMillis":"1500"}}
{"id":{"targetCompleted":{"label":"//b"}},"completed":{}}
""",
    )
    assert outcomes(run) == {
        "p::A": "failed",
        "q::(the suite itself)": "error",
        "p::B": "error",
        "x_test.dart::t": "failed",
        "x_test.dart::hangs": "error",
        "//b": "error",
        "//a": "passed",
    }
    by_id = {result.test_id: result for result in run.results}
    assert by_id["p::A"].message == "a_test.go:3: no"
    assert by_id["//a"].attempts == ("failed", "passed")
    assert by_id["//a"].seconds == 1.5


def test_judged_outputs_are_read_with_scores_latency_and_groups(read: Read) -> None:
    run = read("""{"id": "q1", "scores": {"exact": true, "bleu": "0,5", "odd": "n/a"}, "latency_s": 1.5, "answer": "Bern", "groups": {"lang": "de"}}
{"id": "q2", "passed": false, "label": "refund", "expected": "invoice", "at": "2026-03-01T12:00:00Z"}
{"id": "no score"}
""")
    one, two = run.outputs
    assert (one.case_id, one.scores, one.latency_ms, one.output, one.groups) == (
        "q1",
        {"exact": 1.0, "bleu": 0.5},
        1500.0,
        "Bern",
        {"lang": "de"},
    )
    assert (two.scores, two.label, two.expected) == ({"passed": 0.0}, "refund", "invoice")
    assert "Row 3 has no score and was left out." in run.files[0].notes


COBERTURA = """<coverage line-rate="0.5"><packages><package><classes><class filename="a.py"><methods><method><lines>
  <line number="1" hits="1"/></lines></method></methods><lines><line number="1" hits="1"/>
  <line number="2" hits="0" condition-coverage="50% (1/2)"/></lines></class></classes></package></packages></coverage>"""
JACOCO = """<report name="r"><package name="p"><counter type="LINE" missed="9" covered="9"/></package>
  <counter type="LINE" missed="1" covered="3"/><counter type="BRANCH" missed="1" covered="1"/></report>"""
CLOVER = """<coverage clover="3"><project><metrics statements="4" coveredstatements="3" conditionals="2"
  coveredconditionals="1"/></project></coverage>"""
OPENCOVER = """<CoverageSession><Summary numSequencePoints="4" visitedSequencePoints="3" numBranchPoints="2"
  visitedBranchPoints="1"/></CoverageSession>"""
LCOV = "TN:\nSF:a.c\nDA:1,1\nDA:2,0\nBRDA:2,0,0,-\nBRDA:2,0,1,1\nend_of_record\nSF:a.c\nDA:2,3\nend_of_record\n"
GO = "mode: atomic\na.go:5.12,8.22 3 1\na.go:9.1,9.2 1 0\na.go:5.12,8.22 3 0\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (COBERTURA, (1, 2, 1, 2)),
        (JACOCO, (3, 4, 1, 2)),
        (CLOVER, (3, 4, 1, 2)),
        (OPENCOVER, (3, 4, 1, 2)),
        (LCOV, (2, 2, 1, 2)),
        (GO, (3, 4, None, None)),
    ],
    ids=["cobertura", "jacoco", "clover", "opencover", "lcov", "go"],
)
def test_coverage_is_counted_once_a_line(read: Read, text: str, expected: tuple[int | None, ...]) -> None:
    coverage = read(text).coverage
    assert coverage is not None
    counted = (coverage.lines_covered, coverage.lines_total, coverage.branches_covered, coverage.branches_total)
    assert counted == expected


def test_a_declared_rate_that_the_lines_deny_is_said(read: Read) -> None:
    run = read(COBERTURA.replace('line-rate="0.5"', 'line-rate="0.9"'))
    assert run.files[0].notes == ("It declares a line rate of 0.9; its lines come to 0.5.",)


def test_a_failsafe_summary_is_red_only_where_the_run_itself_broke(read: Read) -> None:
    fine = read("<failsafe-summary><completed>4</completed><failures>2</failures><failureMessage/></failsafe-summary>")
    assert fine.results == ()
    assert "4 completed, 2 failures" in fine.files[0].notes[0]
    broken = read("<failsafe-summary><failureMessage>The forked VM terminated</failureMessage></failsafe-summary>")
    assert only(broken).outcome == "error"
