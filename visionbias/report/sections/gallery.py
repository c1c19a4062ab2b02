# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""The stimuli themselves."""

from itertools import groupby

from visionbias.records.gallery import read_gallery
from visionbias.report.blocks import Image, Pictures, Section, Strip
from visionbias.report.contents import Contents


def gallery_section(contents: Contents) -> Section:
    """A few images of every data set under every condition."""
    blocks = []
    for data, described in contents.manifest["data_sets"].items():
        pictures = read_gallery(contents.folder, data)
        strips = [
            Strip(
                condition if model is None else f"{condition}, made for {model}",
                [Image(picture.jpeg, f"{picture.sample_id}, {condition}") for picture in shown],
            )
            for (condition, model), shown in groupby(pictures, key=lambda picture: (picture.condition, picture.model))
        ]
        if strips:
            blocks.append(Pictures(f"{data}: {described['n']:,} images", strips))
    lead = (
        "A few images of each set under every condition, as the models see them, before they are normalized; those "
        "of attacks are made for the model that is named."
        if blocks
        else "This run has kept no pictures of its stimuli."
    )
    return Section("stimuli", "Stimuli", lead, blocks)
