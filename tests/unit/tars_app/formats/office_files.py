# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of the office formats, written by hand after their standards."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from zipfile import ZIP_DEFLATED, ZipFile

_W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
_R = 'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"'
_A = 'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"'
_P = 'xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main"'
_KIND = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_TYPE = "application/vnd.openxmlformats-officedocument"
_ODF = " ".join(
    f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
    for name in ("office", "text", "table", "style", "presentation", "meta")
) + (' xmlns:draw="urn:oasis:names:tc:opendocument:xmlns:drawing:1.0" xmlns:dc="http://purl.org/dc/elements/1.1/"')
HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
CORE = (
    HEAD + '<cp:coreProperties xmlns:cp="http://schemas.openxmlformats.org/package/2006/metadata/core-properties" '
    'xmlns:dcterms="http://purl.org/dc/terms/" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
    '<dcterms:created xsi:type="dcterms:W3CDTF">2021-01-02T03:04:05Z</dcterms:created>'
    '<dcterms:modified xsi:type="dcterms:W3CDTF">2023-05-04T09:00:00Z</dcterms:modified></cp:coreProperties>'
)


def archive(parts: Mapping[str, str | bytes]) -> bytes:
    """Return a ZIP archive."""
    out = BytesIO()
    with ZipFile(out, "w", ZIP_DEFLATED) as target:
        for name, content in parts.items():
            target.writestr(name, content)
    return out.getvalue()


def relations(**targets: str) -> str:
    """Return the relations of a part: by id, the kind and the target, apart by a blank."""
    entries = "".join(
        f'<Relationship Id="{key}" Type="{_KIND}/{kind}" Target="{target}"/>'
        for key, (kind, target) in ((key, value.split()) for key, value in targets.items())
    )
    namespace = "http://schemas.openxmlformats.org/package/2006/relationships"
    return f'{HEAD}<Relationships xmlns="{namespace}">{entries}</Relationships>'


def _types(**parts: str) -> str:
    entries = "".join(
        f'<Override PartName="/{name}" ContentType="{_TYPE}.{kind}+xml"/>' for name, kind in parts.items()
    )
    return (
        f'{HEAD}<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Default Extension="xml" ContentType="application/xml"/>{entries}</Types>'
    )


def paragraph(text: str) -> str:
    """Return a paragraph of Word."""
    return f"<w:p><w:r><w:t xml:space='preserve'>{text}</w:t></w:r></w:p>"


def docx(body: str, notes: str = "", header: str = "", footer: str = "") -> bytes:
    """Return a Word document. `notes` are w:footnote elements, `header` and `footer` blocks."""
    roots = {"footnotes": notes, "hdr": header, "ftr": footer}
    footnotes, head, foot = (f"{HEAD}<w:{root} {_W}>{content}</w:{root}>" for root, content in roots.items())
    kind = "wordprocessingml"
    return archive(
        {
            "[Content_Types].xml": _types(
                **{
                    "word/document.xml": f"{kind}.document.main",
                    "word/footnotes.xml": f"{kind}.footnotes",
                    "word/header1.xml": f"{kind}.header",
                    "word/footer1.xml": f"{kind}.footer",
                }
            ),
            "_rels/.rels": relations(r1="officeDocument word/document.xml"),
            "word/document.xml": f"{HEAD}<w:document {_W} {_R}><w:body>{body}</w:body></w:document>",
            "word/_rels/document.xml.rels": relations(
                r1="footnotes footnotes.xml", r2="header header1.xml", r3="footer footer1.xml", r4="header header1.xml"
            ),
            "word/footnotes.xml": footnotes,
            "word/header1.xml": head,
            "word/footer1.xml": foot,
            "docProps/core.xml": CORE,
        }
    )


def shape(*paragraphs: str, placeholder: str = "body") -> str:
    """Return a shape of a slide with a text."""
    lines = "".join(f"<a:p><a:r><a:t>{text}</a:t></a:r></a:p>" for text in paragraphs)
    return (
        '<p:sp><p:nvSpPr><p:cNvPr id="2" name="x"/><p:cNvSpPr/>'
        f'<p:nvPr><p:ph type="{placeholder}"/></p:nvPr></p:nvSpPr>'
        f"<p:spPr/><p:txBody><a:bodyPr/>{lines}</p:txBody></p:sp>"
    )


def pptx(*slides: str, notes: Mapping[int, str] | None = None, hidden: int = 0) -> bytes:
    """Return a presentation of slides with these shapes; `notes` by the number of the slide, from 1."""
    parts: dict[str, str] = {}
    overrides = {"ppt/presentation.xml": "presentationml.presentation.main"}
    for number, shapes in enumerate(slides, 1):
        show = ' show="0"' if number == hidden else ""
        tree = '<p:nvGrpSpPr><p:cNvPr id="1" name=""/><p:cNvGrpSpPr/><p:nvPr/></p:nvGrpSpPr><p:grpSpPr/>'
        body = f"<p:cSld><p:spTree>{tree}{shapes}</p:spTree></p:cSld>"
        parts[f"ppt/slides/slide{number}.xml"] = f"{HEAD}<p:sld {_P} {_A} {_R}{show}>{body}</p:sld>"
        overrides[f"ppt/slides/slide{number}.xml"] = "presentationml.slide"
        if notes and number in notes:
            body = (
                f"<p:cSld><p:spTree>{tree}{shape(notes[number])}{shape('7', placeholder='sldNum')}</p:spTree></p:cSld>"
            )
            parts[f"ppt/notesSlides/notesSlide{number}.xml"] = f"{HEAD}<p:notes {_P} {_A}>{body}</p:notes>"
            overrides[f"ppt/notesSlides/notesSlide{number}.xml"] = "presentationml.notesSlide"
            target = f"notesSlide ../notesSlides/notesSlide{number}.xml"
            parts[f"ppt/slides/_rels/slide{number}.xml.rels"] = relations(r1=target)
    # The order of the slides is that of this list, not that of the names of their parts.
    order = range(len(slides), 0, -1)
    ids = "".join(f'<p:sldId id="{255 + number}" r:id="r{number}"/>' for number in order)
    return archive(
        {
            "[Content_Types].xml": _types(**overrides),
            "_rels/.rels": relations(r1="officeDocument ppt/presentation.xml"),
            "ppt/presentation.xml": f"{HEAD}<p:presentation {_P} {_R}><p:sldIdLst>{ids}</p:sldIdLst></p:presentation>",
            "ppt/_rels/presentation.xml.rels": relations(
                **{f"r{number}": f"slide slides/slide{number}.xml" for number in order}
            ),
            "docProps/core.xml": CORE,
            **parts,
        }
    )


def odf(kind: str, body: str, styles: str = "", master: str = "") -> bytes:
    """Return a file of OpenDocument: `kind` is text, spreadsheet or presentation."""
    kind_of_media = f"application/vnd.oasis.opendocument.{kind}"
    namespace = "urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"
    entries = "".join(
        f'<manifest:file-entry manifest:full-path="{path}" manifest:media-type="{media}"/>'
        for path, media in (("/", kind_of_media), ("content.xml", "text/xml"), ("styles.xml", "text/xml"))
    )
    return archive(
        {
            "mimetype": kind_of_media,
            "META-INF/manifest.xml": (
                f'{HEAD}<manifest:manifest xmlns:manifest="{namespace}">{entries}</manifest:manifest>'
            ),
            "content.xml": (
                f'{HEAD}<office:document-content {_ODF} office:version="1.3"><office:automatic-styles>{styles}'
                f"</office:automatic-styles><office:body><office:{kind}>{body}</office:{kind}></office:body>"
                "</office:document-content>"
            ),
            "styles.xml": (
                f"{HEAD}<office:document-styles {_ODF}><office:master-styles>{master}</office:master-styles>"
                "</office:document-styles>"
            ),
            "meta.xml": (
                f"{HEAD}<office:document-meta {_ODF}><office:meta><dc:date>2023-05-04T09:00:00</dc:date>"
                "</office:meta></office:document-meta>"
            ),
        }
    )
