"""The nouns: frozen dataclasses over NumPy arrays, one file each."""

from workbench.core.attribution import Attribution
from workbench.core.attributions import Attributions
from workbench.core.call import CALLS, Ask, Call
from workbench.core.capabilities import CAPABILITIES, IN_WORDS, Scale, Weigh
from workbench.core.classes import class_names, class_positions, predicted_classes
from workbench.core.codes import about_labels, ambiguous, other_codes, plain_numbers, same_codes
from workbench.core.column import Column, other_units
from workbench.core.combination import checked_weights
from workbench.core.comparison import Agreement, Comparison
from workbench.core.file_report import FileReport
from workbench.core.frames import (
    as_table,
    background_frame,
    is_frame,
    made_up,
    numbers_by_name,
    picked,
    read_frame,
)
from workbench.core.holders import no_rows, rows_held
from workbench.core.inputs import Inputs, Kind
from workbench.core.interactions import Interactions
from workbench.core.markup import apart, clean, encodable, escape, printable
from workbench.core.meter import Meter
from workbench.core.method import (
    Estimate,
    Evaluations,
    Method,
    Progress,
    check_method,
    resolve_targets,
)
from workbench.core.model import Combination, Model
from workbench.core.parameters import Doc, Parameter, Range, check_parameters, parameters
from workbench.core.plan import Cost, Plan
from workbench.core.provenance import Composition, Provenance
from workbench.core.referee import NoReferee, Referee
from workbench.core.source import Source
from workbench.core.step import Step
from workbench.core.study import Cell, Study, check_study
from workbench.core.table import (
    TableCell,
    TableGroup,
    csv_link,
    csv_text,
    file_name,
    frame_cells,
    html_table,
    text_table,
)
from workbench.core.target import Target
from workbench.core.trees import Tree, Trees
from workbench.core.unexplained import unexplained_rows, with_unexplained_noted
from workbench.core.variant import CONVENTION, GradientCheck, Size, Variant
from workbench.core.writing import make_folder, write_whole

__all__ = [
    "CALLS",
    "CAPABILITIES",
    "CONVENTION",
    "IN_WORDS",
    "Agreement",
    "Ask",
    "Attribution",
    "Attributions",
    "Call",
    "Cell",
    "Column",
    "Combination",
    "Comparison",
    "Composition",
    "Cost",
    "Doc",
    "Estimate",
    "Evaluations",
    "FileReport",
    "GradientCheck",
    "Inputs",
    "Interactions",
    "Kind",
    "Meter",
    "Method",
    "Model",
    "NoReferee",
    "Parameter",
    "Plan",
    "Progress",
    "Provenance",
    "Range",
    "Referee",
    "Scale",
    "Size",
    "Source",
    "Step",
    "Study",
    "TableCell",
    "TableGroup",
    "Target",
    "Tree",
    "Trees",
    "Variant",
    "Weigh",
    "about_labels",
    "ambiguous",
    "apart",
    "as_table",
    "background_frame",
    "check_method",
    "check_parameters",
    "check_study",
    "checked_weights",
    "class_names",
    "class_positions",
    "clean",
    "csv_link",
    "csv_text",
    "encodable",
    "escape",
    "file_name",
    "frame_cells",
    "html_table",
    "is_frame",
    "made_up",
    "make_folder",
    "no_rows",
    "numbers_by_name",
    "other_codes",
    "other_units",
    "parameters",
    "picked",
    "plain_numbers",
    "predicted_classes",
    "printable",
    "read_frame",
    "resolve_targets",
    "rows_held",
    "same_codes",
    "text_table",
    "unexplained_rows",
    "with_unexplained_noted",
    "write_whole",
]
